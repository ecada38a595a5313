import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { loadAddon } from '../host/addon.ts';
import { SallyportError } from '../lib/errors.ts';

/** The owner of the store: of the directory itself, or of its parent if it is gone. */
export function ownerOf(store: string): { readonly uid: number; readonly gid: number } {
  for (const path of [store, dirname(store)]) {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found !== undefined) return found;
  }
  throw new SallyportError(
    'store-missing',
    `there is neither a store in ${store} nor the directory that it lies in; mount it, or make the first one with: sallyport init`,
  );
}

/** The actor, as the audit trail names it. */
export const offlineActor = `uid:${process.getuid?.() ?? 0} offline`;

/**
 * Started by root, sallyportd works on the store as the user who owns it: files of root's in it would keep the
 * daemon from its own store, and nothing that is parsed here needs root's rights.
 *
 * Invariant: the groups are dropped first and the uid last, and it cannot be undone. No io_uring is open, since a
 * kernel thread would continue its work as root (CVE-2024-22017).
 *
 * @returns the user
 * @throws SallyportError `not-permitted` if the caller is neither root nor that user
 */
export function dropPrivilegesTo(store: string): { readonly uid: number; readonly gid: number } {
  const { uid, gid } = ownerOf(store);
  const self = process.geteuid?.() ?? 0;
  if (self === uid) return { uid, gid };
  if (self !== 0)
    throw new SallyportError(
      'not-permitted',
      `the store belongs to uid ${uid}, and only that user and root may work on it while sallyportd is stopped; use sudo`,
    );
  if (hasRing())
    throw new SallyportError(
      'io-uring',
      'this Node uses io_uring, with which root cannot be given up; say it again with UV_USE_IO_URING=0 in front. Nothing was changed.',
    );
  loadAddon().becomeUser(uid, gid);
  if (process.getuid?.() !== uid || process.geteuid?.() !== uid || process.getegid?.() !== gid)
    throw new SallyportError('internal', 'root could not be given up. Nothing was changed.');
  return { uid, gid };
}

/** A ring without a kernel thread works with the rights of the process that submits to it. */
function hasRing(): boolean {
  return readdirSync('/proc/self/fd').some((fd) => {
    try {
      if (!readlinkSync(`/proc/self/fd/${fd}`).includes('io_uring')) return false;
    } catch {
      // The one that listed them is closed again.
      return false;
    }
    return !/^SqThread:\s*-1$/m.test(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'));
  });
}
