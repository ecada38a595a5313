import { readFileSync } from 'node:fs';
import path from 'node:path';
import { vectors } from './native.ts';

export type Direction = 'module-to-daemon' | 'daemon-to-module';

export interface GoodVector {
  readonly type: string;
  readonly direction: Direction;
  /** Texts as text, numbers as numbers, `bytes` in hex. */
  readonly fields: Readonly<Record<string, string | number>>;
}

export interface BadVector {
  readonly direction: Direction;
  readonly reason: string;
}

interface VectorIndex {
  readonly frames: Readonly<Record<string, GoodVector>>;
  readonly bad: Readonly<Record<string, BadVector>>;
}

/** test/vectors/frames.json: what each file beside it decodes to. */
export const vectorIndex = JSON.parse(readFileSync(path.join(vectors, 'frames.json'), 'utf8')) as VectorIndex;

/** The bytes of a vector; `name` is relative to test/vectors. */
export function vectorBytes(name: string): Buffer {
  const text = readFileSync(path.join(vectors, name), 'utf8');
  return Buffer.from(text.replace(/#.*$/gm, '').replace(/\s+/g, ''), 'hex');
}
