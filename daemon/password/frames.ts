import { SallyportError } from '../errors.ts';
import { limits } from '../limits.ts';

/**
 * What `sallyport-password` is asked, and what it answers: docs/reference/protocol.md, "The password helper". Pure.
 * native/password/protocol.h has the same numbers.
 */
export const protocolVersion = 1;
export const types = { ask: 0x71, look: 0x72, verdict: 0x81 };
export const tags = {
  version: 0x01,
  deadline: 0x02,
  user: 0x03,
  source: 0x04,
  password: 0x05,
  code: 0x06,
};
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

/** One buffer, so that the caller can wipe it. The lengths are the caller's to have checked. */
export function encodeAsk({ user, password, source, deadline }: Ask): Buffer {
  return encode(types.ask, deadline, [
    [tags.user, user],
    ...(source === undefined ? [] : [[tags.source, source] as const]),
    [tags.password, password],
  ]);
}

/** Whether the account has a password. */
export function encodeLook({ user, deadline }: Pick<Ask, 'user' | 'deadline'>): Buffer {
  return encode(types.look, deadline, [[tags.user, user]]);
}

function encode(type: number, deadline: number, more: readonly (readonly [number, Uint8Array])[]): Buffer {
  const number = Buffer.alloc(4);
  number.writeUInt32BE(deadline);
  const fields: readonly (readonly [number, Uint8Array])[] = [
    [tags.version, Buffer.from([protocolVersion])],
    [tags.deadline, number],
    ...more,
  ];
  const length = fields.reduce((sum, [, value]) => sum + 3 + value.length, 1);
  const frame = Buffer.alloc(4 + length);
  frame.writeUInt32BE(length, 0);
  frame.writeUInt8(type, 4);
  let at = 5;
  for (const [tag, value] of fields) {
    frame.writeUInt8(tag, at);
    frame.writeUInt16BE(value.length, at + 1);
    frame.set(value, at + 3);
    at += 3 + value.length;
  }
  return frame;
}

/** All but the code, which is the last byte: a VERDICT has no other form. */
const opening = Buffer.from([0, 0, 0, 5, types.verdict, tags.code, 0, 1]);

/**
 * Takes bytes as they come. One for each process of the helper.
 *
 * MUST hold: what is not a VERDICT to the last byte is refused at its first wrong one, and nothing more is kept.
 */
export class VerdictReader<Expected extends Code> {
  readonly #expected: readonly Expected[];
  #held: Buffer = Buffer.alloc(0);

  constructor(expected: readonly Expected[]) {
    this.#expected = expected;
  }

  /** @returns undefined: more is to come. @throws SallyportError `protocol-violation` */
  push(chunk: Buffer): Expected | undefined {
    const whole = opening.length + 1;
    if (this.#held.length + chunk.length > whole) throw violation('it says too much');
    this.#held = Buffer.concat([this.#held, chunk]);
    const seen = Math.min(this.#held.length, opening.length);
    if (!this.#held.subarray(0, seen).equals(opening.subarray(0, seen)))
      throw violation('that is no verdict');
    if (this.#held.length < whole) return undefined;
    const code = this.#held.readUInt8(opening.length);
    const verdict = this.#expected.find((expected) => codes[expected] === code);
    if (verdict === undefined) throw violation('an unknown verdict');
    return verdict;
  }
}

function violation(what: string): SallyportError<'protocol-violation'> {
  return new SallyportError('protocol-violation', `sallyport-password broke the protocol: ${what}`);
}

/** A name that no helper takes is the name of no account. */
export function fits(bytes: Buffer, shortest: number, longest: number): boolean {
  return (
    bytes.length >= shortest && bytes.length <= longest && bytes.every((byte) => byte >= 32 && byte !== 127)
  );
}

export const userFits = (user: Buffer): boolean => fits(user, 1, limits.userLength);
export const sourceFits = (source: Buffer): boolean => fits(source, 0, limits.passwordSourceLength);
