import { closeSync, fchownSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { inspectTarget, replaceableFile } from './write-target.ts';

/** Makes creations, renames and removals in a directory survive a power cut. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The owner of a file that root creates. */
export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/** Creates a file that only its owner may use, durable together with its name. Fails with EEXIST. */
export function createDurably(path: string, contents: Buffer, owner?: FileOwner): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid);
    writeFully(fd, contents, 0);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  syncDirectory(dirname(path));
}

export function writeFully(fd: number, bytes: Buffer, position: number): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}

/** Reads `length` bytes at `position`; fewer only where the file ends. */
export function readFully(fd: number, length: number, position: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const read = readSync(fd, bytes, done, length - done, position + done);
    if (read === 0) break;
    done += read;
  }
  return bytes.subarray(0, done);
}

/**
 * Puts a file in place of another in one step: after a crash there is the old one or the new one, whole. In a
 * directory of the daemon's own; only a regular file or a link gives way.
 */
export function replaceDurably(path: string, contents: Buffer): void {
  const next = prepareDurably(path, contents);
  try {
    next.use();
  } catch (error) {
    next.drop();
    throw error;
  }
}

/** A file that lies ready, on disk. */
export interface Next {
  use(): void;
  drop(): void;
}

export function prepareDurably(path: string, contents: Buffer): Next {
  const fresh = `${path}.new`;
  const drop = (): void => rmSync(fresh, { force: true });
  drop();
  try {
    createDurably(fresh, contents);
  } catch (error) {
    drop();
    throw error;
  }
  return {
    use() {
      // A link is replaced and not followed.
      if (inspectTarget(path).kind !== 'link') replaceableFile(path, 'refuse');
      renameSync(fresh, path);
      syncDirectory(dirname(path));
    },
    drop,
  };
}
