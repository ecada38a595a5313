import { SallyportError } from '../errors.ts';
import { limits } from '../limits.ts';
import { modes, protocolVersion, styles, tags, types } from './frame-numbers.ts';

/**
 * Frames between the PAM module and the daemon: docs/reference/protocol.md. Pure: bytes in, values out.
 *
 * MUST hold:
 * - a length is judged before a byte of the body is kept;
 * - a frame that is not exactly as the page says is refused, never mended or cut;
 * - no error says what stood in an ANSWER.
 */

export interface HelloFrame {
  readonly type: 'hello';
  readonly service: string;
  readonly user: string;
  readonly ruser?: string;
  readonly rhost?: string;
  readonly tty?: string;
  readonly session?: string;
  readonly realUid: number;
  readonly mode: 'prompt' | 'password-and-code' | 'first-pass';
  readonly firstFactorPassed: boolean;
  readonly sshAuthInfo?: string;
  /** Milliseconds that the module gives the whole call. */
  readonly deadline: number;
  /** As libpam passed them. */
  readonly flags: number;
  /** The module can ask at the terminal of the login program and give the prompt back. */
  readonly terminal: boolean;
}

export type ModuleFrame =
  | HelloFrame
  | { readonly type: 'answer'; readonly answer: Buffer }
  | { readonly type: 'cancel' }
  /** In place of an answer: the prompt was open as 'withdraw' came. */
  | { readonly type: 'withdrawn' };

/** RESULT carries these and nothing else; numbers from <security/_pam_types.h>. */
export const pamCodes = {
  success: 0,
  'system-err': 4,
  'perm-denied': 6,
  'auth-err': 7,
  maxtries: 11,
  ignore: 25,
} as const;

/** 'terminal': hidden, asked by the module itself, and open to 'withdraw'; only where HELLO says terminal. */
export type PromptStyle = 'hidden' | 'shown' | 'terminal';

export type DaemonFrame =
  | { readonly type: 'info'; readonly text: string }
  | { readonly type: 'error'; readonly text: string }
  | { readonly type: 'prompt'; readonly text: string; readonly style: PromptStyle }
  | { readonly type: 'wait' }
  | { readonly type: 'result'; readonly code: keyof typeof pamCodes; readonly strip: number }
  | { readonly type: 'withdraw' };

function violation(what: string): SallyportError<'protocol-violation'> {
  return new SallyportError('protocol-violation', `the peer broke the protocol: ${what}`);
}

function decodeOrWipe(body: Buffer): ModuleFrame {
  try {
    return decodeModuleFrame(body);
  } catch (error) {
    body.fill(0);
    throw error;
  }
}

/** Takes bytes as they come and gives whole frames. One for each connection. */
export class FrameReader {
  readonly #header = Buffer.alloc(4);
  #have = 0;
  #body: Buffer | undefined;

  /**
   * @returns the frames that became complete; `chunk` is wiped, since an answer may stand in it
   * @throws SallyportError `protocol-violation`
   */
  push(chunk: Buffer): ModuleFrame[] {
    const frames: ModuleFrame[] = [];
    try {
      let at = 0;
      while (at < chunk.length) {
        at += this.#take(chunk, at);
        const body = this.#body;
        if (body === undefined || this.#have < body.length) continue;
        this.#body = undefined;
        this.#have = 0;
        frames.push(decodeOrWipe(body));
      }
    } catch (error) {
      // Nobody will be handed those before it.
      for (const frame of frames) if (frame.type === 'answer') frame.answer.fill(0);
      throw error;
    } finally {
      chunk.fill(0);
    }
    return frames;
  }

  /** Nothing more comes: what was half received may be most of an answer. */
  end(): void {
    this.#body?.fill(0);
    this.#body = undefined;
  }

  #take(chunk: Buffer, at: number): number {
    const target = this.#body ?? this.#header;
    const taken = chunk.copy(target, this.#have, at);
    this.#have += taken;
    if (this.#body === undefined && this.#have === this.#header.length) {
      const length = this.#header.readUInt32BE(0);
      if (length < 1 || length > limits.frameLength) throw violation(`a frame of ${length} bytes`);
      this.#body = Buffer.alloc(length);
      this.#have = 0;
    }
    return taken;
  }
}

function fieldsOf(body: Buffer): Map<number, Buffer> {
  const fields = new Map<number, Buffer>();
  let at = 1;
  while (at < body.length) {
    if (at + 3 > body.length) throw violation('a field header that is cut off');
    const tag = body.readUInt8(at);
    const end = at + 3 + body.readUInt16BE(at + 1);
    if (end > body.length) throw violation('a field that runs past its frame');
    if (fields.has(tag)) throw violation(`tag ${tag} twice`);
    fields.set(tag, body.subarray(at + 3, end));
    at = end;
  }
  return fields;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textField(
  fields: Map<number, Buffer>,
  name: keyof typeof tags,
  longest: number,
): string | undefined {
  const bytes = fields.get(tags[name]);
  if (bytes === undefined) return undefined;
  if (bytes.length > longest) throw violation(`${name} of ${bytes.length} bytes`);
  if (bytes.includes(0)) throw violation(`a NUL byte in ${name}`);
  try {
    return utf8.decode(bytes);
  } catch {
    throw violation(`${name} is not UTF-8`);
  }
}

function requiredText(fields: Map<number, Buffer>, name: keyof typeof tags, longest: number): string {
  const text = textField(fields, name, longest);
  if (text === undefined || text.length === 0) throw violation(`${name} is missing`);
  return text;
}

function number(fields: Map<number, Buffer>, name: keyof typeof tags, size: 1 | 4): number {
  const bytes = fields.get(tags[name]);
  if (bytes === undefined) throw violation(`${name} is missing`);
  if (bytes.length !== size) throw violation(`${name} of ${bytes.length} bytes`);
  return bytes.readUIntBE(0, size);
}

function flag(fields: Map<number, Buffer>, name: keyof typeof tags): boolean {
  const value = number(fields, name, 1);
  if (value > 1) throw violation(`${name} is neither 0 nor 1`);
  return value === 1;
}

function decodeHello(fields: Map<number, Buffer>): HelloFrame {
  if (number(fields, 'version', 1) !== protocolVersion) throw violation('another version of the protocol');
  const mode = modes[number(fields, 'mode', 1)];
  if (mode === undefined) throw violation('an unknown mode');
  const ruser = textField(fields, 'ruser', limits.userLength);
  const rhost = textField(fields, 'rhost', limits.rhostLength);
  const tty = textField(fields, 'tty', limits.ttyLength);
  const session = textField(fields, 'session', limits.sessionLength);
  const sshAuthInfo = textField(fields, 'sshAuthInfo', limits.sshAuthInfoLength);
  return {
    type: 'hello',
    service: requiredText(fields, 'service', limits.serviceLength),
    user: requiredText(fields, 'user', limits.userLength),
    ...(ruser ? { ruser } : {}),
    ...(rhost ? { rhost } : {}),
    ...(tty ? { tty } : {}),
    ...(session ? { session } : {}),
    realUid: number(fields, 'realUid', 4),
    mode,
    firstFactorPassed: flag(fields, 'firstFactorPassed'),
    ...(sshAuthInfo ? { sshAuthInfo } : {}),
    deadline: number(fields, 'deadline', 4),
    flags: number(fields, 'flags', 4),
    terminal: fields.has(tags.terminal) && flag(fields, 'terminal'),
  };
}

/** @param body type and fields, without the length */
export function decodeModuleFrame(body: Buffer): ModuleFrame {
  const type = body.readUInt8(0);
  const fields = fieldsOf(body);
  switch (type) {
    case types.hello:
      return decodeHello(fields);
    case types.answer: {
      const answer = fields.get(tags.answer);
      if (answer === undefined) throw violation('an ANSWER without an answer');
      if (answer.length > limits.answerLength) throw violation('an answer that is too long');
      return { type: 'answer', answer };
    }
    case types.cancel:
      return { type: 'cancel' };
    case types.withdrawn:
      return { type: 'withdrawn' };
    default:
      throw violation(`frame type ${type}`);
  }
}

function field(tag: number, bytes: Buffer): Buffer {
  const header = Buffer.alloc(3);
  header.writeUInt8(tag, 0);
  header.writeUInt16BE(bytes.length, 1);
  return Buffer.concat([header, bytes]);
}

function unsigned(value: number, size: 1 | 2 | 4): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUIntBE(value, 0, size);
  return bytes;
}

function shownText(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length === 0 || bytes.length > limits.textLength)
    throw new SallyportError('text-length', `a text of ${bytes.length} bytes cannot be shown`);
  return field(tags.text, bytes);
}

function fieldsFor(frame: DaemonFrame): Buffer[] {
  switch (frame.type) {
    case 'info':
    case 'error':
      return [shownText(frame.text)];
    case 'prompt':
      return [shownText(frame.text), field(tags.style, unsigned(styles[frame.style], 1))];
    case 'wait':
    case 'withdraw':
      return [];
    case 'result':
      return [
        field(tags.code, unsigned(pamCodes[frame.code], 4)),
        field(tags.strip, unsigned(frame.strip, 2)),
      ];
  }
}

/** The whole frame, length included. */
export function encodeDaemonFrame(frame: DaemonFrame): Buffer {
  const body = [unsigned(types[frame.type], 1), ...fieldsFor(frame)];
  const length = body.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([unsigned(length, 4), ...body]);
}
