import { limits } from '../limits.ts';
import { decodeText, FrameReader, fieldsOf, violationOf } from './codec.ts';

/**
 * What `sallyport-fido` says: docs/reference/protocol.md, "The FIDO helper". Pure: bytes in, values out.
 *
 * Invariants:
 * - a frame that is not exactly as the page says is a violation, never repaired or cut;
 * - no error says what a frame held.
 */

/** The numbers of the page, of both directions; native/fido/protocol.h has the same ones. */
export const protocolVersion = 1;
export const frameTypes = {
  list: 0x41,
  make: 0x42,
  assert: 0x43,
  pin: 0x44,
  keys: 0x51,
  touch: 0x52,
  pinWanted: 0x53,
  listed: 0x61,
  made: 0x62,
  asserted: 0x63,
  failed: 0x64,
} as const;
export const fieldTags = {
  version: 0x01,
  deadline: 0x02,
  clientDataHash: 0x03,
  userVerification: 0x04,
  rpId: 0x05,
  rpName: 0x06,
  userId: 0x07,
  userName: 0x08,
  algorithm: 0x09,
  credentialId: 0x0a,
  resident: 0x0b,
  pin: 0x20,
  ask: 0x21,
  count: 0x30,
  why: 0x31,
  retries: 0x32,
  keyName: 0x33,
  fido2: 0x34,
  format: 0x35,
  statement: 0x36,
  authenticatorData: 0x37,
  signature: 0x38,
  reason: 0x39,
  detail: 0x3a,
} as const;

/** Why the keys gave no answer, as the helper numbers it. */
const reasons = {
  /** The deadline passed without a touch. */
  'no-touch': 1,
  /** None was plugged in by the deadline. */
  'no-key': 2,
  /** The key that was touched holds none of the credentials. */
  'wrong-key': 3,
  /** The key that was touched holds one of those in `exclude`. */
  excluded: 4,
  /** User verification is required and the key has neither PIN nor fingerprint set up. */
  'no-pin': 5,
  /** The PIN is blocked until the key is pulled out, or for good. */
  'pin-blocked': 6,
  /** The key lacks what was requested: algorithm, resident keys. */
  unsupported: 7,
  /** It is full of resident credentials. */
  'key-full': 8,
  /** It was pulled out, or its answers are malformed. */
  'key-failed': 9,
  cancelled: 10,
} as const;
export type HelperReason = keyof typeof reasons;

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
      /** CBOR of a map, unchanged. */
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
  | { readonly type: 'failed'; readonly reason: HelperReason; readonly detail: string };

const pinReasons = new Map([
  [1, 'first'],
  [2, 'wrong'],
] as const);
const reasonOf = new Map(Object.entries(reasons).map(([name, code]) => [code, name as HelperReason]));

const violation = violationOf('sallyport-fido');

/** The fields of a frame, in the order that the page gives them. */
class OrderedFields {
  readonly #fields: readonly { readonly tag: number; readonly value: Buffer }[];
  #at = 0;

  constructor(body: Buffer) {
    this.#fields = fieldsOf(body, violation);
  }

  get done(): boolean {
    return this.#at === this.#fields.length;
  }

  nextIs(name: keyof typeof fieldTags): boolean {
    return this.#fields[this.#at]?.tag === fieldTags[name];
  }

  bytes(name: keyof typeof fieldTags, shortest: number, longest: number): Buffer {
    const field = this.#fields[this.#at];
    if (field?.tag !== fieldTags[name]) throw violation(`${name} is missing`);
    const { length } = field.value;
    if (length < shortest || length > longest) throw violation(`${name} of ${length} bytes`);
    this.#at += 1;
    return field.value;
  }

  number(name: keyof typeof fieldTags, most: number): number {
    const value = this.bytes(name, 1, 1).readUInt8(0);
    if (value > most) throw violation(`${name} is ${value}`);
    return value;
  }

  text(name: keyof typeof fieldTags, shortest: number, longest: number): string {
    const text = decodeText(this.bytes(name, shortest, longest));
    if (text === undefined || /\p{Cc}/u.test(text)) throw violation(`${name} is not clean text`);
    return text;
  }
}

function listed(fields: OrderedFields): HelperFrame {
  const keys: { readonly name: string; readonly fido2: boolean }[] = [];
  while (!fields.done) {
    if (keys.length === limits.pluggedKeys) throw violation('too many keys');
    const name = fields.text('keyName', 0, limits.keyNameLength);
    keys.push({ name, fido2: fields.number('fido2', 1) === 1 });
  }
  return { type: 'listed', keys };
}

function pinWanted(fields: OrderedFields): HelperFrame {
  const ask = fields.number('ask', 255);
  const why = pinReasons.get(fields.number('why', 2) as 1 | 2);
  if (why === undefined || ask === 0) throw violation('a PIN is wanted for no reason');
  if (!fields.nextIs('retries')) return { type: 'pin-wanted', ask, why };
  return { type: 'pin-wanted', ask, why, retries: fields.number('retries', 255) };
}

function failed(fields: OrderedFields): HelperFrame {
  const reason = reasonOf.get(fields.number('reason', 255) as (typeof reasons)[HelperReason]);
  if (reason === undefined) throw violation('an unknown reason');
  return { type: 'failed', reason, detail: fields.text('detail', 0, limits.fidoDetailLength) };
}

function decodeFields(type: number, fields: OrderedFields): HelperFrame {
  const id = () => fields.bytes('credentialId', 1, limits.credentialIdLength);
  const data = () => fields.bytes('authenticatorData', 37, limits.authenticatorDataLength);
  switch (type) {
    case frameTypes.keys:
      return { type: 'keys', count: fields.number('count', limits.pluggedKeys) };
    case frameTypes.touch:
      return { type: 'touch' };
    case frameTypes.pinWanted:
      return pinWanted(fields);
    case frameTypes.listed:
      return listed(fields);
    case frameTypes.made: {
      const format = fields.text('format', 1, limits.attestationFormatLength);
      const [authenticatorData, credentialId] = [data(), id()];
      const statement = fields.bytes('statement', 1, limits.attestationStatementLength);
      return { type: 'made', format, statement, authenticatorData, credentialId };
    }
    case frameTypes.asserted:
      return {
        type: 'asserted',
        credentialId: id(),
        authenticatorData: data(),
        signature: fields.bytes('signature', 1, limits.keySignatureLength),
      };
    case frameTypes.failed:
      return failed(fields);
    default:
      throw violation(`frame type ${type}`);
  }
}

/** @param body type and fields, without the length */
export function decodeHelperFrame(body: Buffer): HelperFrame {
  const fields = new OrderedFields(body);
  const frame = decodeFields(body.readUInt8(0), fields);
  if (!fields.done) throw violation('an unexpected field');
  return frame;
}

/** What one process of the helper says. */
export function createHelperFrameReader(): FrameReader<HelperFrame> {
  return new FrameReader(decodeHelperFrame, violation);
}
