import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, lstat, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type FileOwner, syncDirectory } from './durable.ts';
import { SallyportError } from './errors.ts';
import { inspectTarget, notReplaceable, replaceableFile } from './write-target.ts';

/**
 * Every file that a command writes is written here.
 *
 * Invariants:
 * - only a regular file is replaced, in one step: who reads sees the old one or the new one, after a power cut too;
 * - a device is written to and stays; a pipe, a socket and a directory are refused;
 * - a link is never followed but where the caller says so, and then it stays a link;
 * - at no moment can anybody read a file who may not in the end;
 * - what fails leaves the old file as it was, and nothing beside it.
 */
export interface Replacement {
  readonly mode: number;
  /** Absent: the caller. */
  readonly owner?: FileOwner;
  readonly encoding?: 'utf8' | 'latin1';
  readonly links: 'follow' | 'refuse';
  /** The name of the new file until it is whole; by default one beside the old file. */
  readonly temporary?: (target: string) => string;
  /** Before the new file takes its name. */
  readonly ready?: (temporary: string, target: string) => void;
}

/** @throws SallyportError bad-target, Error of the file system */
export function replaceFile(path: string, text: string, replacement: Replacement): void {
  const target = replaceableFile(path, replacement.links);
  const temporary = replacement.temporary?.(target) ?? `${target}.${process.pid}.new`;
  rmSync(temporary, { force: true });
  try {
    const file = openSync(temporary, 'wx', 0o600);
    try {
      writeFileSync(file, text, replacement.encoding ?? 'utf8');
      // By descriptor: the name may lead elsewhere by now.
      if (replacement.owner !== undefined) fchownSync(file, replacement.owner.uid, replacement.owner.gid);
      fchmodSync(file, replacement.mode);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    replacement.ready?.(temporary, target);
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(dirname(target));
}

/**
 * For a file that the caller names on the command line: a regular file is replaced, a device is written to.
 * @throws SallyportError bad-target, Error of the file system
 */
export function writeOutput(path: string, text: string, { mode }: { readonly mode: number }): void {
  if (inspectTarget(path).kind !== 'character-device') {
    replaceFile(path, text, { mode, links: 'refuse' });
    return;
  }
  const { O_WRONLY, O_NOFOLLOW, O_NOCTTY } = constants;
  const device = openSync(path, O_WRONLY | O_NOFOLLOW | O_NOCTTY);
  try {
    if (!fstatSync(device).isCharacterDevice())
      throw new SallyportError('bad-target', `${path} is not written: it was replaced just now`);
    writeFileSync(device, text);
  } finally {
    closeSync(device);
  }
}

/** A file that was not there before, and that only its owner can read. */
export interface NewFile {
  write(bytes: Uint8Array | string): Promise<void>;
  /** Durable together with its name. */
  finish(): Promise<void>;
  /** Half of it could be taken for the whole. */
  abandon(): Promise<void>;
}

/** @throws SallyportError bad-target: something is there already. Error of the file system */
export async function createNewFile(path: string): Promise<NewFile> {
  const file = await opened(path);
  return {
    async write(bytes) {
      const buffer = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
      for (let done = 0; done < buffer.length; ) done += (await file.write(buffer, done)).bytesWritten;
    },
    async finish() {
      await file.sync();
      await file.close();
      syncDirectory(dirname(path));
    },
    async abandon() {
      const own = await file.stat().catch(() => undefined);
      await file.close().catch(() => undefined);
      const named = await lstat(path).catch(() => undefined);
      if (own === undefined || named === undefined) return;
      if (own.ino === named.ino && own.dev === named.dev) await rm(path, { force: true });
    },
  };
}

async function opened(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'EEXIST') throw error;
    const why = notReplaceable(inspectTarget(path)) ?? 'it is there already, and nothing is overwritten';
    throw new SallyportError('bad-target', `${path} cannot be created: ${why}`, { cause: error });
  }
}
