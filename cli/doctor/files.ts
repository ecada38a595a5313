import { execFile } from 'node:child_process';
import { lstat, readdir, readFile, realpath, statfs } from 'node:fs/promises';
import { connect } from 'node:net';
import { systemCode } from '../lib/errors.ts';

/** Result of a program. `missing`: the program does not exist; `status` undefined: killed by a signal or timed out. */
export interface Ran {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly missing?: true;
}

/** Distinguishes what does not exist from what could not be examined. */
export type Unseen = { readonly kind: 'absent' } | { readonly kind: 'unseen'; readonly why: string };

export type Entry = {
  readonly kind: 'file' | 'directory' | 'socket' | 'link' | 'other';
  /** The twelve mode bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly changed: number;
};

export interface Files {
  /** Describes the path itself: symbolic links are not followed. */
  look(path: string): Promise<Entry | Unseen>;
  read(path: string): Promise<{ readonly kind: 'text'; readonly text: string } | Unseen>;
  list(path: string): Promise<{ readonly kind: 'names'; readonly names: readonly string[] } | Unseen>;
  /** The path with symbolic links resolved. */
  real(path: string): Promise<string | undefined>;
  /** Bytes and inodes of the file system that an unprivileged user may use. */
  space(path: string): Promise<Space | Unseen>;
}

export interface Space {
  readonly kind: 'space';
  readonly bytes: number;
  readonly free: number;
  /** 0: the file system does not count inodes. */
  readonly inodes: number;
  readonly freeInodes: number;
}

export const realFiles: Files = {
  look: (path) =>
    seen(async () => {
      const found = await lstat(path);
      const kind = found.isFile()
        ? 'file'
        : found.isDirectory()
          ? 'directory'
          : found.isSocket()
            ? 'socket'
            : found.isSymbolicLink()
              ? 'link'
              : 'other';
      const { uid, gid, size, mtimeMs: changed } = found;
      return { kind, mode: found.mode & 0o7777, uid, gid, size, changed } as const;
    }),
  read: (path) => seen(async () => ({ kind: 'text', text: await readFile(path, 'utf8') }) as const),
  list: (path) => seen(async () => ({ kind: 'names', names: await readdir(path) }) as const),
  real: (path) => realpath(path).catch(() => undefined),
  space: (path) =>
    seen(async () => {
      const { bsize, blocks, bavail, files, ffree } = await statfs(path);
      return {
        kind: 'space',
        bytes: blocks * bsize,
        free: bavail * bsize,
        inodes: files,
        freeInodes: ffree,
      } as const;
    }),
};

async function seen<T>(look: () => Promise<T>): Promise<T | Unseen> {
  try {
    return await look();
  } catch (error) {
    const code = systemCode(error);
    return code === 'ENOENT' || code === 'ENOTDIR' ? { kind: 'absent' } : { kind: 'unseen', why: code };
  }
}

/** @param limit milliseconds */
export function runProgram(argv: readonly string[], limit: number): Promise<Ran> {
  const [program = '', ...rest] = argv;
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
  return new Promise((resolve) => {
    const options = { env, timeout: limit, killSignal: 'SIGKILL', maxBuffer: 16 * 1024 * 1024 } as const;
    const child = execFile(program, rest, options, (error, stdout, stderr) => {
      if (error === null) resolve({ status: 0, stdout, stderr });
      else if (error.code === 'ENOENT') resolve({ status: undefined, stdout, stderr, missing: true });
      else resolve({ status: typeof error.code === 'number' ? error.code : undefined, stdout, stderr });
    });
    child.stdin?.end();
  });
}

/** Whether a process accepts connections there; the connection is closed at once. */
export function connectTo(
  path: string,
  limit: number,
): Promise<'accepts' | 'silent' | 'absent' | 'forbidden'> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (result: 'accepts' | 'silent' | 'absent' | 'forbidden') => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(limit, () => end('silent'));
    socket.once('connect', () => end('accepts'));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') end('absent');
      else end(error.code === 'EACCES' || error.code === 'EPERM' ? 'forbidden' : 'silent');
    });
  });
}
