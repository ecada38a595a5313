import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { messageOf, SallyportError } from '../lib/errors.ts';
import { limits } from '../limits.ts';

/** What the kernel says of the process at the other end of a Unix socket, at the time of its connect(2). */
export interface PeerCredentials {
  /** For logs only: another process may have the pid now. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** An answer of NSS, as the addon gives it. */
export type NssAnswer =
  | {
      readonly status: 'found';
      readonly name: string;
      readonly uid: number;
      readonly gid: number;
      readonly groups: readonly (readonly [string, 'member' | 'not-member' | 'unresolved'])[];
    }
  | { readonly status: 'absent' }
  | { readonly status: 'unavailable'; readonly why: string };

export type AccountKey = { readonly name: string } | { readonly uid: number };

/**
 * Asks NSS on a separate thread. The promise may stay open for ever, and keeps no process alive. A question that would
 * begin later than `waitMs` from now is not asked any more.
 */
export type LookupAccount = (
  key: AccountKey,
  groups: readonly string[],
  waitMs: number,
) => Promise<NssAnswer>;

/**
 * An account of /etc/passwd, if libc would take it from there without asking another source. It reads two small files
 * and waits for no source, so it needs no thread. undefined says nothing about the account.
 */
export type LocalAccount = (key: AccountKey) => (NssAnswer & { readonly status: 'found' }) | undefined;

/** A locked file. Without release() it is locked as long as the process lives. */
export interface FileLock {
  release(): void;
}

/** What Connections reports; native/addon/connections.h has the same numbers. */
export const connectionEvents = { accepted: 0, ready: 1, failed: 2, unidentified: 3 } as const;
export const readiness = { readable: 1, writable: 2 } as const;

/** A listening Unix socket and the connections from it, by descriptor. Throws not-open for any other descriptor. */
export interface NativeConnections {
  /** @returns how many bytes were read, 0 at their end, or the negative errno */
  read(descriptor: number, into: Buffer): number;
  /** @returns how many bytes were taken, or the negative errno */
  write(descriptor: number, bytes: Buffer): number;
  /** @param wanted of `readiness`; an error and the end of both directions are reported in any case */
  await(descriptor: number, wanted: number): void;
  endWriting(descriptor: number): void;
  close(descriptor: number): void;
  /** Takes connections again, after `failed`. */
  resume(): void;
  /** Closes the listening descriptor. The process lives by it until then, and by the connections that are open. */
  stop(): void;
}

/** An AES-256-GCM key for one purpose, outside of the memory of JavaScript; wiped when it is collected. */
export interface SealingKey {
  readonly sealingKey: unique symbol;
}

/** AES-256-GCM and HMAC-SHA256 in one call, by Node's own OpenSSL: an envelope of node:crypto takes ten. */
export interface SealingAddon {
  /** The caller wipes `key`. */
  readonly sealingKey: (purpose: string, key: Buffer) => SealingKey;
  /** `envelope`: header, nonce of 12 bytes, room for ciphertext and tag. The tag covers `recordKey` and the header too. */
  readonly sealWith: (
    key: SealingKey,
    recordKey: Buffer,
    envelope: Buffer,
    headerLength: number,
    plaintext: Buffer,
  ) => void;
  /** Fills `plaintext`. False: the tag is wrong, and `plaintext` is wiped. */
  readonly openWith: (
    key: SealingKey,
    recordKey: Buffer,
    envelope: Buffer,
    headerLength: number,
    plaintext: Buffer,
  ) => boolean;
  /** Fills the 32 bytes of `out`. */
  readonly hmacSha256: (key: Buffer, data: Buffer, out: Buffer) => void;
}

/** The calls that Node does not have. Errors carry `code`: an errno name, or what is said here. */
export interface Addon {
  /** Throws not-unix and not-connected. */
  readonly peerCredentials: (descriptor: number) => PeerCredentials;
  readonly lookupAccount: LookupAccount;
  readonly localAccount: LocalAccount;
  /** Creates the file with mode 0600 if it does not exist. Throws locked when another process holds it. */
  readonly lockFile: (path: string) => FileLock;
  /** False once the path names another file, or none: the lock then protects nothing. */
  readonly lockIsHeld: (lock: FileLock) => boolean;
  /** sd_notify(3). False without a service manager. */
  readonly notify: (message: string) => boolean;
  /** Gives root up in all threads, for good. */
  readonly becomeUser: (uid: number, gid: number) => void;
  /** prctl(2), PR_SET_DUMPABLE. */
  readonly setDumpable: (flag: boolean) => void;
  /** renameat2(2), RENAME_EXCHANGE: two names of one file system change places in one step. */
  readonly exchange: (a: string, b: string) => void;
  readonly closeOnExec: (descriptor: number) => void;
  /** The descriptor of a Unix socket that listens there. */
  readonly listenAt: (path: string, backlog: number) => number;
  /**
   * accept(2) without listen(2). `happened` is called with one of `connectionEvents`, a descriptor and its value:
   * accepted: the peer's uid; ready: what for; failed: the errno for which nothing more is taken before resume();
   * unidentified: the errno for which a connection was dropped. Throws not-listening and not-unix.
   */
  readonly Connections: new (
    descriptor: number,
    happened: (event: number, descriptor: number, value: number) => void,
  ) => NativeConnections;
}

interface NativeAddon extends Addon, SealingAddon {
  readonly startLookups: (options: { readonly threads: number; readonly queue: number }) => void;
}

const fileName = 'sallyport_addon.node';
/** Installed it lies beside this file; in the repository this file is in daemon/host/ or in dist/daemon/host/. */
const places = ['.', '../../build/Release', '../../../build/Release'];

/** The addon's file; its first location if it is missing. */
export function addonFile(directory: string = import.meta.dirname): string {
  return nativeFile(fileName, directory) ?? join(directory, fileName);
}

/** What was built of native/: it lies where the addon lies. Undefined: it was not built. */
export function nativeFile(name: string, directory: string = import.meta.dirname): string | undefined {
  return places.map((place) => resolve(directory, place, name)).find((file) => existsSync(file));
}

function loadFile(file: string): NativeAddon {
  try {
    return createRequire(import.meta.url)(file) as NativeAddon;
  } catch (error) {
    const reason = existsSync(file) ? messageOf(error) : 'there is no such file';
    throw new SallyportError(
      'addon-missing',
      `the native addon ${file} cannot be loaded: ${reason}. ` +
        `"npm run build" in the repository builds it for this version of Node (${process.version}).`,
      { cause: error },
    );
  }
}

let loaded: Addon | undefined;
let sealing: SealingAddon | undefined;

/** The part of the addon that needs no threads. */
export function sealingAddon(): SealingAddon {
  sealing ??= loadFile(addonFile());
  return sealing;
}

/** Loads the addon and starts its threads, once in a process. */
export function loadAddon(file?: string): Addon {
  if (loaded === undefined) {
    const native = loadFile(file ?? addonFile());
    native.startLookups({ threads: limits.nssThreads, queue: limits.nssQueue });
    loaded = { ...native, lockFile: (path) => native.lockFile(resolve(path)) };
  }
  return loaded;
}
