import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceDurably } from '../daemon/lib/durable.ts';

/**
 * The place up to which everything was told, in a file: what comes after a restart begins behind it. It is written in
 * one step, after an event was told, so that a crash repeats one event at the most and leaves none out.
 */
export interface Position {
  /** undefined: there is none yet, or what is there is none. */
  read(): number | undefined;
  /** @throws Error of the file system */
  write(place: number): void;
}

export function createPosition(directory: string): Position {
  const path = join(directory, 'position');
  return {
    read() {
      try {
        const text = readFileSync(path, 'utf8').trim();
        return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
      } catch {
        return undefined;
      }
    },
    write(place) {
      replaceDurably(path, Buffer.from(`${place}\n`));
    },
  };
}
