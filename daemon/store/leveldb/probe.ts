import { open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { freeBytes } from './reserve.ts';

/** LevelDB ignores files whose names it does not recognise. */
const NAME = 'probe';
const SIZE = 4096;
/** Disk space needed beyond the log that LevelDB rewrites: MANIFEST, LOG and a new log. */
const MARGIN = 1024 * 1024;

/**
 * Checks that the store's directory is writable again and has the disk space to be opened, before the database,
 * which still answers reads, is closed. @throws Error of the file system, or one that says what is missing
 */
export async function probeDirectory(directory: string): Promise<void> {
  const path = join(directory, NAME);
  try {
    const file = await open(path, 'w', 0o600);
    try {
      await file.writeFile(Buffer.alloc(SIZE, 1));
      // LevelDB uses datasync for its log; the anchor and the directory use sync.
      await file.datasync();
      await file.sync();
    } finally {
      await file.close();
    }
  } finally {
    await rm(path, { force: true }).catch(() => {});
  }
  const need = (await logBytes(directory)) + MARGIN;
  const free = await freeBytes(directory);
  if (free < need) throw new Error(`the disk is full: ${free} bytes are free, ${need} are needed`);
}

async function logBytes(directory: string): Promise<number> {
  const logs = (await readdir(directory)).filter((name) => name.endsWith('.log'));
  const sizes = await Promise.all(logs.map(async (name) => (await stat(join(directory, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
