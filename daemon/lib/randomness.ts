import { randomBytes, randomInt } from 'node:crypto';

/** Where keys, salts and ids come from; passed in, so that what uses it stays pure. */
export interface Randomness {
  bytes(length: number): Buffer;
  /** Uniform in [0, max). */
  int(max: number): number;
}

export const systemRandomness: Randomness = {
  bytes: (length) => randomBytes(length),
  int: (max) => randomInt(max),
};
