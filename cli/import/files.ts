import { constants } from 'node:fs';
import { type FileHandle, lstat, open, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { systemCode } from '../lib/errors.ts';
import { ImportError, type Source } from './contract.ts';

/** Longer than a line of any of these files; the longest are those of pam_u2f with all keys of one user. */
const longestLine = 262_144;
const chunkBytes = 65_536;
/** Limit for files trusted only for their owner. Threat: an endless file would keep root reading. */
const mostOfOwn = 1_048_576;

/** A file to be read, and its conditions. */
export interface Named {
  readonly file: string;
  /** Mode bits that must not be set: 0o022 against writing by others, 0o077 also against reading. */
  readonly mask: number;
  /** Owner of the home directory that contains it. */
  readonly home?: number;
}

/**
 * The files that the arguments name: a directory is a home directory and names the other system's file in it; a home
 * without that file is skipped.
 * @param inHome path below a home directory; undefined if the system keeps no file there
 */
export async function namedFiles(
  paths: readonly string[],
  inHome: string | undefined,
  mask: number,
): Promise<readonly Named[]> {
  const named: Named[] = [];
  for (const path of paths) {
    const found = await stat(path).catch(() => undefined);
    if (inHome === undefined || found?.isDirectory() !== true) {
      named.push({ file: path, mask });
      continue;
    }
    const file = join(path, inHome);
    const isThere = await lstat(file).then(
      () => true,
      () => false,
    );
    if (!isThere) continue;
    const hasOwner = found.uid !== 0 || (await isRootsHome(found));
    named.push({ file, mask, ...(hasOwner ? { home: found.uid } : {}) });
  }
  return named;
}

/** A user's home directory may belong to root: sshd requires it for ChrootDirectory. */
async function isRootsHome({ dev, ino }: { readonly dev: number; readonly ino: number }): Promise<boolean> {
  const { uid, homedir } = userInfo();
  const own = uid === 0 ? await stat(homedir).catch(() => undefined) : undefined;
  return own !== undefined && own.dev === dev && own.ino === ino;
}

export interface Opened extends Source {
  close(): Promise<void>;
}

/**
 * Opens a file that may be in a user's home directory.
 *
 * Threat: root reads a file that a user may have replaced. Invariants:
 * - the last path component is not followed, and only a regular file is opened: no link to another user's file, no
 *   device, no pipe without a writer;
 * - owner and mode are those of the open file, not of its name;
 * - a file that others may write is not trusted;
 * - a file reached through a home directory must belong to its owner and is trusted only for that account:
 *   directories on the way may be links;
 * - the size of a file that does not belong to root is limited.
 *
 * @throws ImportError
 */
export async function openSource({ file, mask, home }: Named): Promise<Opened> {
  let handle: FileHandle;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw new ImportError(reasonOf(error));
  }
  try {
    const status = await handle.stat();
    const { uid, mode } = status;
    if (!status.isFile()) throw new ImportError('not a regular file');
    if ((mode & mask) !== 0)
      throw new ImportError(
        `others may ${(mode & mask & 0o022) !== 0 ? 'write' : 'read'} it, so it is not trusted; check its content, then run: chmod go-rwx`,
      );
    if (home !== undefined && uid !== home)
      throw new ImportError(`it belongs to uid ${uid}, but its home directory to uid ${home}`);
    const isTrusted = uid === 0 || (uid === process.geteuid?.() && home === undefined);
    const most = isTrusted ? Number.POSITIVE_INFINITY : mostOfOwn;
    if (status.size > most) throw tooLarge(most);
    await refuseUtf16(handle);
    return {
      file,
      uid,
      inHome: home !== undefined,
      ...(isTrusted ? {} : { owner: uid }),
      lines: () => linesOf(chunksOf(handle, most)),
      chunks: () => chunksOf(handle, most),
      whole: (most) => wholeOf(handle, most),
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** UTF-16: every second byte of ASCII text is 0. */
async function refuseUtf16(handle: FileHandle): Promise<void> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
  const begins = buffer.toString('hex');
  buffer.fill(0);
  if (bytesRead === 2 && (/^(?:fffe|feff)$/.test(begins) || /^(?:00(?!00)|(?!00)..00)/.test(begins)))
    throw new ImportError('the file is UTF-16; convert it: iconv -f UTF-16 -t UTF-8');
}

function reasonOf(error: unknown): string {
  const code = systemCode(error, '');
  const known: Readonly<Record<string, string>> = {
    ELOOP: 'it is a symbolic link, which the owner of the directory may redirect; name the file itself',
    ENOENT: 'file not found',
    EACCES: 'permission denied; run this as root',
  };
  return known[code] ?? `cannot open it (${code})`;
}

function tooLarge(most: number): ImportError {
  return new ImportError(`it is larger than ${most} bytes`);
}

/** @throws ImportError if it has grown beyond `most` bytes */
async function* chunksOf(handle: FileHandle, most: number): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8');
  const chunk = Buffer.alloc(chunkBytes);
  try {
    for (let position = 0; ; ) {
      const { bytesRead } = await handle.read(chunk, 0, chunkBytes, position);
      if (bytesRead === 0) break;
      position += bytesRead;
      if (position > most) throw tooLarge(most);
      yield decoder.decode(chunk.subarray(0, bytesRead), { stream: true });
    }
    yield decoder.decode();
  } finally {
    chunk.fill(0);
  }
}

/** Lines, with a bounded amount of the file in memory. */
export async function* linesOf(
  chunks: AsyncIterable<string>,
): AsyncGenerator<{ readonly text: string | undefined; readonly number: number }> {
  let rest = '';
  let isTooLong = false;
  let number = 0;
  const next = (text: string) => {
    number += 1;
    const line = { text: isTooLong ? undefined : text.replace(/\r$/, ''), number };
    isTooLong = false;
    return line;
  };
  for await (const chunk of chunks) {
    const pieces = chunk.split('\n');
    pieces[0] = rest + (pieces[0] ?? '');
    rest = pieces.pop() ?? '';
    for (const piece of pieces) {
      isTooLong ||= piece.length > longestLine;
      yield next(piece);
    }
    if (rest.length > longestLine) {
      isTooLong = true;
      rest = '';
    }
  }
  if (rest !== '' || isTooLong) yield next(rest);
}

async function wholeOf(handle: FileHandle, most: number): Promise<Buffer> {
  const { size } = await handle.stat();
  if (size > most) throw tooLarge(most);
  // One byte more, to detect growth.
  const buffer = Buffer.alloc(Math.min(size, most) + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
    if (bytesRead === 0) return buffer.subarray(0, length);
    length += bytesRead;
  }
  throw new ImportError('it grew during the import; stop the program that writes it, then try again');
}
