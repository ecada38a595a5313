import { SallyportError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { FidoReason } from './contract.ts';
import { tags, types } from './numbers.ts';

/**
 * What `sallyport-fido` says: docs/reference/protocol.md, "The FIDO helper". Pure: bytes in, values out.
 *
 * MUST hold:
 * - a length is judged before a byte of the body is kept;
 * - a frame that is not exactly as the page says is refused, never mended or cut;
 * - no error says what stood in a frame.
 */
export type HelperFrame =
  | { readonly type: 'keys'; readonly count: number }
  | { readonly type: 'touch' }
  | {
      readonly type: 'pin-wanted';
      readonly ask: number;
      readonly why: 'first' | 'wrong';
      readonly retries?: number;
    }
  | { readonly type: 'listed'; readonly keys: readonly { readonly name: string; readonly fido2: boolean }[] }
  | {
      readonly type: 'made';
      readonly format: string;
      /** CBOR of a map, as it stands. */
      readonly statement: Buffer;
      readonly authenticatorData: Buffer;
      readonly credentialId: Buffer;
    }
  | {
      readonly type: 'asserted';
      readonly credentialId: Buffer;
      readonly authenticatorData: Buffer;
      readonly signature: Buffer;
    }
  | { readonly type: 'failed'; readonly reason: FidoReason; readonly detail: string };

const whys = new Map([
  [1, 'first'],
  [2, 'wrong'],
] as const);
const reasons: ReadonlyMap<number, FidoReason> = new Map([
  [1, 'no-touch'],
  [2, 'no-key'],
  [3, 'wrong-key'],
  [4, 'excluded'],
  [5, 'no-pin'],
  [6, 'pin-blocked'],
  [7, 'unsupported'],
  [8, 'key-full'],
  [9, 'key-failed'],
  [10, 'cancelled'],
]);

function violation(what: string): SallyportError<'protocol-violation'> {
  return new SallyportError('protocol-violation', `sallyport-fido broke the protocol: ${what}`);
}

/** Takes bytes as they come and gives whole frames. One for each process of the helper. */
export class HelperReader {
  #held: Buffer = Buffer.alloc(0);

  /** @throws SallyportError `protocol-violation` */
  push(chunk: Buffer): HelperFrame[] {
    const frames: HelperFrame[] = [];
    let rest = Buffer.concat([this.#held, chunk]);
    while (rest.length >= 4) {
      const length = rest.readUInt32BE(0);
      if (length < 1 || length > limits.frameLength) throw violation(`a frame of ${length} bytes`);
      if (rest.length < 4 + length) break;
      frames.push(decodeHelperFrame(rest.subarray(4, 4 + length)));
      rest = rest.subarray(4 + length);
    }
    this.#held = rest;
    return frames;
  }
}

/** The fields of a frame, in the order in which they must stand. */
class Fields {
  readonly #body: Buffer;
  #at = 1;

  constructor(body: Buffer) {
    this.#body = body;
  }

  get done(): boolean {
    return this.#at === this.#body.length;
  }

  nextIs(name: keyof typeof tags): boolean {
    return !this.done && this.#body[this.#at] === tags[name];
  }

  bytes(name: keyof typeof tags, shortest: number, longest: number): Buffer {
    if (!this.nextIs(name)) throw violation(`${name} is missing`);
    if (this.#at + 3 > this.#body.length) throw violation('a field header that is cut off');
    const length = this.#body.readUInt16BE(this.#at + 1);
    const end = this.#at + 3 + length;
    if (end > this.#body.length) throw violation('a field that runs past its frame');
    if (length < shortest || length > longest) throw violation(`${name} of ${length} bytes`);
    const bytes = Buffer.from(this.#body.subarray(this.#at + 3, end));
    this.#at = end;
    return bytes;
  }

  number(name: keyof typeof tags, most: number): number {
    const value = this.bytes(name, 1, 1).readUInt8(0);
    if (value > most) throw violation(`${name} is ${value}`);
    return value;
  }

  text(name: keyof typeof tags, shortest: number, longest: number): string {
    try {
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
        this.bytes(name, shortest, longest),
      );
      if (!/\p{Cc}/u.test(text)) return text;
    } catch (error) {
      if (error instanceof SallyportError) throw error;
    }
    throw violation(`${name} is no clean text`);
  }
}

function listed(fields: Fields): HelperFrame {
  const keys: { readonly name: string; readonly fido2: boolean }[] = [];
  while (!fields.done) {
    if (keys.length === limits.pluggedKeys) throw violation('too many keys');
    const name = fields.text('keyName', 0, limits.keyNameLength);
    keys.push({ name, fido2: fields.number('fido2', 1) === 1 });
  }
  return { type: 'listed', keys };
}

function pinWanted(fields: Fields): HelperFrame {
  const ask = fields.number('ask', 255);
  const why = whys.get(fields.number('why', 2) as 1 | 2);
  if (why === undefined || ask === 0) throw violation('a PIN is wanted for no reason');
  if (!fields.nextIs('retries')) return { type: 'pin-wanted', ask, why };
  return { type: 'pin-wanted', ask, why, retries: fields.number('retries', 255) };
}

function failed(fields: Fields): HelperFrame {
  const reason = reasons.get(fields.number('reason', 255));
  if (reason === undefined) throw violation('an unknown reason');
  return { type: 'failed', reason, detail: fields.text('detail', 0, limits.fidoDetailLength) };
}

function decodeFields(type: number, fields: Fields): HelperFrame {
  const id = () => fields.bytes('credentialId', 1, limits.credentialIdLength);
  const data = () => fields.bytes('authenticatorData', 37, limits.authenticatorDataLength);
  switch (type) {
    case types.keys:
      return { type: 'keys', count: fields.number('count', limits.pluggedKeys) };
    case types.touch:
      return { type: 'touch' };
    case types.pinWanted:
      return pinWanted(fields);
    case types.listed:
      return listed(fields);
    case types.made: {
      const format = fields.text('format', 1, limits.attestationFormatLength);
      const [authenticatorData, credentialId] = [data(), id()];
      const statement = fields.bytes('statement', 1, limits.attestationStatementLength);
      return { type: 'made', format, statement, authenticatorData, credentialId };
    }
    case types.asserted:
      return {
        type: 'asserted',
        credentialId: id(),
        authenticatorData: data(),
        signature: fields.bytes('signature', 1, limits.keySignatureLength),
      };
    case types.failed:
      return failed(fields);
    default:
      throw violation(`frame type ${type}`);
  }
}

/** @param body type and fields, without the length */
export function decodeHelperFrame(body: Buffer): HelperFrame {
  const fields = new Fields(body);
  const frame = decodeFields(body.readUInt8(0), fields);
  if (!fields.done) throw violation('a field that does not belong there');
  return frame;
}
