import { randomBytes } from 'node:crypto';
import { rmSync, statSync } from 'node:fs';
import { open, rm, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Room on the disk that can be given up: LevelDB writes its log anew when it opens, which a full disk refuses.
 * The room is really taken: written, with bytes that no file system can pack.
 */
const CHUNK = 1024 * 1024;
/** Made only where this many of it fit, so that it never fills the disk itself. */
const SHARE = 4;

/** Makes the reserve where it is missing and there is plenty of room. Says whether there is one. */
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

/** Says whether there was one to give up. */
export function releaseReserve(path: string): boolean {
  if (!statSync(path, { throwIfNoEntry: false })) return false;
  rmSync(path);
  return true;
}

/** What an unprivileged process may still write there. */
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
