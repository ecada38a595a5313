import { constants } from 'node:fs';
import { type FileHandle, lstat, open, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { systemCode } from '../lib/errors.ts';
import { ImportError, type Source } from './contract.ts';

/** More than a line of any of these files; pam_u2f's with all keys of one person comes nearest. */
const longestLine = 262_144;
const chunkBytes = 65_536;
/** Of what speaks for its owner alone: a file without end would keep root reading. */
const mostOfOwn = 1_048_576;

/** A file to be read, and how. */
export interface Named {
  readonly file: string;
  /** Bits of the mode that must not be set: 0o022 for others' writing, 0o077 for their reading too. */
  readonly mask: number;
  /** The uid of the home that it was found in. */
  readonly home?: number;
}

/**
 * The files that the words of a command line name: a directory is a home, and stands for the file that the other system
 * keeps there; a home without one is passed over.
 * @param inHome path below a home; undefined: the system keeps none there
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

/** Homes that belong to root and are other people's exist: sshd wants them so for ChrootDirectory. */
async function isRootsHome({ dev, ino }: { readonly dev: number; readonly ino: number }): Promise<boolean> {
  const { uid, homedir } = userInfo();
  const own = uid === 0 ? await stat(homedir).catch(() => undefined) : undefined;
  return own !== undefined && own.dev === dev && own.ino === ino;
}

export interface Opened extends Source {
  close(): Promise<void>;
}

/**
 * Opens a file that may be in somebody's home.
 *
 * MUST hold, since root reads what a user may have put there:
 * - its last name is followed nowhere, and what is opened is a regular file: no link to a file of somebody else's,
 *   no device, no pipe that nobody writes;
 * - owner and mode are asked of what is open, not of its name;
 * - a file that others may write is nobody's word;
 * - what is reached through somebody's home is theirs and speaks for them alone: directories on the way may be links;
 * - what is not root's ends.
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
    if (!status.isFile()) throw new ImportError('it is no regular file');
    if ((mode & mask) !== 0)
      throw new ImportError(
        `others may ${(mode & mask & 0o022) !== 0 ? 'write' : 'read'} it, so it proves nothing; look at what is in it, then: chmod go-rwx`,
      );
    if (home !== undefined && uid !== home)
      throw new ImportError(`it belongs to uid ${uid}, and the home that it lies in to uid ${home}`);
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

/** What Windows calls Unicode: every second byte of what is read here is 0. */
async function refuseUtf16(handle: FileHandle): Promise<void> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
  const begins = buffer.toString('hex');
  buffer.fill(0);
  if (bytesRead === 2 && (/^(?:fffe|feff)$/.test(begins) || /^(?:00(?!00)|(?!00)..00)/.test(begins)))
    throw new ImportError('it is in UTF-16; save it as UTF-8, or: iconv -f UTF-16 -t UTF-8');
}

function reasonOf(error: unknown): string {
  const code = systemCode(error, '');
  const known: Readonly<Record<string, string>> = {
    ELOOP:
      'it is a symbolic link, which whoever owns the directory may have pointed anywhere; name the file itself',
    ENOENT: 'there is no such file',
    EACCES: 'it may not be read by you; run this as root',
  };
  return known[code] ?? `it cannot be opened (${code})`;
}

function tooLarge(most: number): ImportError {
  return new ImportError(`it is larger than ${most} bytes`);
}

/** @throws ImportError: it has more than `most` bytes by now */
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
  // One byte more: it may have grown since.
  const buffer = Buffer.alloc(Math.min(size, most) + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
    if (bytesRead === 0) return buffer.subarray(0, length);
    length += bytesRead;
  }
  throw new ImportError('it grew while it was read; stop what writes it, then try again');
}
