import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

type Direction = 'module-to-daemon' | 'daemon-to-module';

export interface GoldenFrame {
  readonly file: string;
  readonly type: string;
  readonly direction: Direction;
  readonly fields: Readonly<Record<string, string | number>>;
  readonly bytes: Buffer;
}

export interface BadFrame {
  readonly file: string;
  readonly direction: Direction;
  readonly reason: string;
  readonly bytes: Buffer;
}

export function repositoryRoot(): string {
  let folder = import.meta.dirname;
  while (!readdirSync(folder).includes('package.json')) folder = dirname(folder);
  return folder;
}

const vectors = join(repositoryRoot(), 'test', 'vectors');

/** Hex with `#` comments. */
function bytesOf(file: string): Buffer {
  const hex = readFileSync(join(vectors, file), 'utf8')
    .split('\n')
    .map((line) => line.replace(/#.*/, ''))
    .join('')
    .replace(/\s/g, '');
  if (!/^(?:[0-9a-f]{2})*$/.test(hex)) throw new Error(`${file} is not hex`);
  return Buffer.from(hex, 'hex');
}

interface Index {
  readonly frames: Record<string, Omit<GoldenFrame, 'file' | 'bytes'>>;
  readonly bad: Record<string, Omit<BadFrame, 'file' | 'bytes'>>;
}

const index = JSON.parse(readFileSync(join(vectors, 'frames.json'), 'utf8')) as Index;

function hexFiles(folder: string): string[] {
  return readdirSync(join(vectors, folder)).filter((file) => file.endsWith('.hex'));
}

/** Every file has its entry, and every entry its file: a vector that nobody reads proves nothing. */
export const goldenFrames: readonly GoldenFrame[] = hexFiles('.').map((file) => {
  const entry = index.frames[file];
  if (entry === undefined) throw new Error(`${file} has no entry in frames.json`);
  return { file, ...entry, bytes: bytesOf(file) };
});

export const badFrames: readonly BadFrame[] = hexFiles('bad').map((file) => {
  const entry = index.bad[file];
  if (entry === undefined) throw new Error(`bad/${file} has no entry in frames.json`);
  return { file, ...entry, bytes: bytesOf(join('bad', file)) };
});

export const entriesWithoutFile: readonly string[] = [
  ...Object.keys(index.frames).filter((file) => !hexFiles('.').includes(file)),
  ...Object.keys(index.bad).filter((file) => !hexFiles('bad').includes(file)),
];
