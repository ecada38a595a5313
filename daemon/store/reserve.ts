import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, rmSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeFully } from './durable.ts';
import { systemCode } from './error.ts';

/**
 * Room on the disk that can be given up: LevelDB writes its log anew when it opens, which a full disk refuses.
 * The room is really taken: written, with bytes that no file system can pack.
 */
const CHUNK = 1024 * 1024;
/** What must be left over after the reserve was made, so that it does not fill the disk itself. */
const SHARE = 4;

/** Makes the reserve where it is missing and there is plenty of room. Returns whether there is one. */
export function keepReserve(path: string, bytes: number): boolean {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) >= bytes) return true;
  if (freeBytes(dirname(path)) < SHARE * bytes) return false;
  try {
    fill(path, bytes);
    return true;
  } catch (error) {
    rmSync(path, { force: true });
    if (systemCode(error)) return false;
    throw error;
  }
}

/** Returns whether there was one to give up. */
export function giveUpReserve(path: string): boolean {
  if (!statSync(path, { throwIfNoEntry: false })) return false;
  rmSync(path);
  return true;
}

/** What an unprivileged process may still write there. */
export function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function fill(path: string, bytes: number): void {
  const fd = openSync(path, 'w', 0o600);
  try {
    for (let at = 0; at < bytes; at += CHUNK) writeFully(fd, randomBytes(Math.min(CHUNK, bytes - at)), at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
