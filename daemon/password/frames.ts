import { SallyportError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { PasswordVerdict } from './contract.ts';

/**
 * What `sallyport-password` is asked, and what it answers: docs/protocol.md, "The password helper". Pure.
 * native/password/protocol.h has the same numbers.
 */
export const protocolVersion = 1;
export const types = { ask: 0x71, verdict: 0x81 };
export const tags = {
  version: 0x01,
  deadline: 0x02,
  user: 0x03,
  source: 0x04,
  password: 0x05,
  code: 0x06,
};
export const codes = { right: 1, wrong: 2, expired: 3, failed: 4 } as const;

export interface Ask {
  readonly user: Buffer;
  readonly password: Buffer;
  readonly source?: Buffer;
  /** Milliseconds. */
  readonly deadline: number;
}

/** One buffer, so that the caller can wipe it. The lengths are the caller's to have checked. */
export function encodeAsk({ user, password, source, deadline }: Ask): Buffer {
  const number = Buffer.alloc(4);
  number.writeUInt32BE(deadline);
  const fields: readonly (readonly [number, Uint8Array])[] = [
    [tags.version, Buffer.from([protocolVersion])],
    [tags.deadline, number],
    [tags.user, user],
    ...(source === undefined ? [] : [[tags.source, source] as const]),
    [tags.password, password],
  ];
  const length = fields.reduce((sum, [, value]) => sum + 3 + value.length, 1);
  const frame = Buffer.alloc(4 + length);
  frame.writeUInt32BE(length, 0);
  frame.writeUInt8(types.ask, 4);
  let at = 5;
  for (const [tag, value] of fields) {
    frame.writeUInt8(tag, at);
    frame.writeUInt16BE(value.length, at + 1);
    frame.set(value, at + 3);
    at += 3 + value.length;
  }
  return frame;
}

const verdicts = new Map<number, PasswordVerdict>(
  Object.entries(codes).map(([verdict, code]) => [code, verdict as keyof typeof codes]),
);
/** All but the code, which is the last byte: a VERDICT has no other form. */
const opening = Buffer.from([0, 0, 0, 5, types.verdict, tags.code, 0, 1]);

/**
 * Takes bytes as they come. One for each process of the helper.
 *
 * MUST hold: what is not a VERDICT to the last byte is refused at its first wrong one, and nothing more is kept.
 */
export class VerdictReader {
  #held: Buffer = Buffer.alloc(0);

  /** @returns undefined: more is to come. @throws SallyportError `protocol-violation` */
  push(chunk: Buffer): PasswordVerdict | undefined {
    const whole = opening.length + 1;
    if (this.#held.length + chunk.length > whole) throw violation('it says too much');
    this.#held = Buffer.concat([this.#held, chunk]);
    const seen = Math.min(this.#held.length, opening.length);
    if (!this.#held.subarray(0, seen).equals(opening.subarray(0, seen)))
      throw violation('that is no verdict');
    if (this.#held.length < whole) return undefined;
    const verdict = verdicts.get(this.#held.readUInt8(opening.length));
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
