import { limits } from '../limits.ts';
import { encodeFrame, type Field, unsigned, violationOf } from './codec.ts';

/**
 * What `sallyport-password` is asked, and what it answers: docs/reference/protocol.md, "The password helper". Pure.
 * native/password/protocol.h has the same numbers.
 */
export const protocolVersion = 1;
export const frameTypes = { ask: 0x71, look: 0x72, verdict: 0x81 } as const;
export const fieldTags = {
  version: 0x01,
  deadline: 0x02,
  user: 0x03,
  source: 0x04,
  password: 0x05,
  code: 0x06,
} as const;
export const codes = { right: 1, wrong: 2, expired: 3, failed: 4, set: 5, none: 6 } as const;
export type Code = keyof typeof codes;
/** What may answer each question; `failed` answers both. */
export const answersOf = {
  ask: ['right', 'wrong', 'expired', 'failed'],
  look: ['set', 'none', 'failed'],
} as const satisfies Readonly<Record<string, readonly Code[]>>;

export interface Ask {
  readonly user: Buffer;
  readonly password: Buffer;
  readonly source?: Buffer;
  /** Milliseconds. */
  readonly deadline: number;
}

function opening(deadline: number, user: Buffer): readonly Field[] {
  return [
    { tag: fieldTags.version, value: unsigned(protocolVersion, 1) },
    { tag: fieldTags.deadline, value: unsigned(deadline, 4) },
    { tag: fieldTags.user, value: user },
  ];
}

/** One buffer, so that the caller can wipe it. The caller has checked the lengths. */
export function encodeAsk({ user, password, source, deadline }: Ask): Buffer {
  return encodeFrame(frameTypes.ask, [
    ...opening(deadline, user),
    ...(source === undefined ? [] : [{ tag: fieldTags.source, value: source }]),
    { tag: fieldTags.password, value: password },
  ]);
}

/** Asks whether the account has a password. */
export function encodeLook({ user, deadline }: Pick<Ask, 'user' | 'deadline'>): Buffer {
  return encodeFrame(frameTypes.look, opening(deadline, user));
}

const violation = violationOf('sallyport-password');

/** All but the code, which is the last byte: a VERDICT has no other form. */
const verdictStart = encodeFrame(frameTypes.verdict, [
  { tag: fieldTags.code, value: unsigned(0, 1) },
]).subarray(0, -1);

/**
 * Takes bytes as they come. One for each process of the helper.
 *
 * Invariant: a frame that is not exactly a VERDICT is a violation at its first wrong byte, and nothing more is kept.
 */
export class VerdictReader<Expected extends Code> {
  readonly #expected: readonly Expected[];
  #held: Buffer = Buffer.alloc(0);

  constructor(expected: readonly Expected[]) {
    this.#expected = expected;
  }

  /** @returns undefined: more is to come. @throws SallyportError `protocol-violation` */
  push(chunk: Buffer): Expected | undefined {
    const whole = verdictStart.length + 1;
    if (this.#held.length + chunk.length > whole) throw violation('its answer is too long');
    this.#held = Buffer.concat([this.#held, chunk]);
    const seen = Math.min(this.#held.length, verdictStart.length);
    if (!this.#held.subarray(0, seen).equals(verdictStart.subarray(0, seen)))
      throw violation('its answer is not a verdict');
    if (this.#held.length < whole) return undefined;
    const code = this.#held.readUInt8(verdictStart.length);
    const verdict = this.#expected.find((expected) => codes[expected] === code);
    if (verdict === undefined) throw violation('an unknown verdict');
    return verdict;
  }
}

/** A name that the helper cannot take belongs to no account. */
export function fits(bytes: Buffer, shortest: number, longest: number): boolean {
  return (
    bytes.length >= shortest && bytes.length <= longest && bytes.every((byte) => byte >= 32 && byte !== 127)
  );
}

export const userFits = (user: Buffer): boolean => fits(user, 1, limits.userLength);
export const sourceFits = (source: Buffer): boolean => fits(source, 0, limits.passwordSourceLength);
