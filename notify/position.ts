import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceDurably } from '../daemon/lib/durable.ts';

/**
 * The sequence number of the last event delivered, in a file: after a restart delivery continues behind it. It is
 * written atomically after a delivery, so that a crash repeats at most one event and loses none.
 */
export interface Position {
  /** @returns undefined if the file is missing or invalid */
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
