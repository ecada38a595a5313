import { randomBytes } from 'node:crypto';
import { rmSync, statSync } from 'node:fs';
import { open, rm, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Disk space that can be released: LevelDB rewrites its log when it opens, which fails on a full disk.
 * The space is really allocated: the file is written, with bytes that no file system can compress.
 */
const CHUNK = 1024 * 1024;
/** Created only where this many of it fit, so that the reserve never fills the disk itself. */
const SHARE = 4;

/** Creates the reserve if it is missing and there is ample disk space. @returns whether it exists */
export async function keepReserve(path: string, bytes: number): Promise<boolean> {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) >= bytes) return true;
  try {
    if ((await freeBytes(dirname(path))) < SHARE * bytes) return false;
    await fill(path, bytes);
    return true;
  } catch {
    await rm(path, { force: true });
    return false;
  }
}

/** @returns whether there was a reserve to release */
export function releaseReserve(path: string): boolean {
  if (!statSync(path, { throwIfNoEntry: false })) return false;
  rmSync(path);
  return true;
}

/** Bytes that an unprivileged process may still write there. */
export async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

async function fill(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    for (let left = bytes; left > 0; left -= CHUNK) {
      await file.writeFile(randomBytes(Math.min(CHUNK, left)));
    }
    await file.sync();
  } finally {
    await file.close();
  }
}
