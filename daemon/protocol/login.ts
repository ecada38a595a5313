import { SallyportError } from '../lib/errors.ts';
import { limits } from '../limits.ts';
import {
  decodeText,
  encodeFrame,
  type Field,
  FrameReader,
  fieldsOf,
  unsigned,
  violationOf,
} from './codec.ts';

/**
 * Frames between the PAM module and the daemon: docs/reference/protocol.md. Pure: bytes in, values out.
 *
 * Invariants:
 * - a frame that is not exactly as the page says is a violation, never repaired or cut;
 * - no error says what an ANSWER held.
 */

export const protocolVersion = 1;
/** test/vectors holds the bytes that these numbers lead to; native/module/protocol.h has the same ones. */
export const frameTypes = {
  hello: 0x01,
  answer: 0x02,
  cancel: 0x03,
  withdrawn: 0x04,
  info: 0x11,
  error: 0x12,
  prompt: 0x13,
  wait: 0x14,
  result: 0x15,
  withdraw: 0x16,
} as const;
export const fieldTags = {
  version: 0x01,
  service: 0x02,
  user: 0x03,
  ruser: 0x04,
  rhost: 0x05,
  tty: 0x06,
  session: 0x07,
  realUid: 0x08,
  mode: 0x09,
  firstFactorPassed: 0x0a,
  sshAuthInfo: 0x0b,
  deadline: 0x0c,
  flags: 0x0d,
  terminal: 0x0e,
  answer: 0x20,
  text: 0x30,
  style: 0x31,
  code: 0x32,
  strip: 0x33,
} as const;
export const modes = ['prompt', 'password-and-code', 'first-pass'] as const;
export const styles = { hidden: 0, shown: 1, terminal: 2 } as const;

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

const violation = violationOf('the peer');

type Fields = ReadonlyMap<number, Buffer>;

/** Unknown tags are kept, and read by nothing: a later module may say more. */
function uniqueFields(body: Buffer): Fields {
  const fields = new Map<number, Buffer>();
  for (const { tag, value } of fieldsOf(body, violation)) {
    if (fields.has(tag)) throw violation(`tag ${tag} twice`);
    fields.set(tag, value);
  }
  return fields;
}

function textField(fields: Fields, name: keyof typeof fieldTags, longest: number): string | undefined {
  const bytes = fields.get(fieldTags[name]);
  if (bytes === undefined) return undefined;
  if (bytes.length > longest) throw violation(`${name} of ${bytes.length} bytes`);
  if (bytes.includes(0)) throw violation(`a NUL byte in ${name}`);
  const text = decodeText(bytes);
  if (text === undefined) throw violation(`${name} is not UTF-8`);
  return text;
}

function requiredText(fields: Fields, name: keyof typeof fieldTags, longest: number): string {
  const text = textField(fields, name, longest);
  if (text === undefined || text.length === 0) throw violation(`${name} is missing`);
  return text;
}

function number(fields: Fields, name: keyof typeof fieldTags, size: 1 | 4): number {
  const bytes = fields.get(fieldTags[name]);
  if (bytes === undefined) throw violation(`${name} is missing`);
  if (bytes.length !== size) throw violation(`${name} of ${bytes.length} bytes`);
  return bytes.readUIntBE(0, size);
}

function flag(fields: Fields, name: keyof typeof fieldTags): boolean {
  const value = number(fields, name, 1);
  if (value > 1) throw violation(`${name} is neither 0 nor 1`);
  return value === 1;
}

function decodeHello(fields: Fields): HelloFrame {
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
    terminal: fields.has(fieldTags.terminal) && flag(fields, 'terminal'),
  };
}

/** @param body type and fields, without the length */
export function decodeModuleFrame(body: Buffer): ModuleFrame {
  const type = body.readUInt8(0);
  const fields = uniqueFields(body);
  switch (type) {
    case frameTypes.hello:
      return decodeHello(fields);
    case frameTypes.answer: {
      const answer = fields.get(fieldTags.answer);
      if (answer === undefined) throw violation('an ANSWER without an answer');
      if (answer.length > limits.answerLength) throw violation('an answer that is too long');
      return { type: 'answer', answer };
    }
    case frameTypes.cancel:
      return { type: 'cancel' };
    case frameTypes.withdrawn:
      return { type: 'withdrawn' };
    default:
      throw violation(`frame type ${type}`);
  }
}

/** What one connection of a module says. */
export function createModuleFrameReader(): FrameReader<ModuleFrame> {
  return new FrameReader(decodeModuleFrame, violation);
}

function shownText(text: string): Field {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length === 0 || bytes.length > limits.textLength)
    throw new SallyportError('text-length', `a text of ${bytes.length} bytes cannot be shown`);
  return { tag: fieldTags.text, value: bytes };
}

function fieldsFor(frame: DaemonFrame): readonly Field[] {
  switch (frame.type) {
    case 'info':
    case 'error':
      return [shownText(frame.text)];
    case 'prompt':
      return [shownText(frame.text), { tag: fieldTags.style, value: unsigned(styles[frame.style], 1) }];
    case 'wait':
    case 'withdraw':
      return [];
    case 'result':
      return [
        { tag: fieldTags.code, value: unsigned(pamCodes[frame.code], 4) },
        { tag: fieldTags.strip, value: unsigned(frame.strip, 2) },
      ];
  }
}

/** The whole frame, length included. */
export function encodeDaemonFrame(frame: DaemonFrame): Buffer {
  return encodeFrame(frameTypes[frame.type], fieldsFor(frame));
}
