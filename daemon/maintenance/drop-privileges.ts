import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { loadAddon } from '../host/addon.ts';
import { SallyportError } from '../lib/errors.ts';

/** Whose store it is: of the directory itself, or of the one that it lies in, where it is gone. */
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

/** Who asked, as it stands in the audit trail. */
export const offlineActor = `uid:${process.getuid?.() ?? 0} offline`;

/**
 * Called by root, sallyportd works on the store as the user whose store it is: files of root's in it would keep
 * the daemon from its own store, and nothing that is parsed here is worth root's rights.
 *
 * MUST hold: the groups go first and the uid last, and there is no way back. No ring of io_uring is open whose work a
 * thread of the kernel would go on doing as root (CVE-2024-22017).
 *
 * @returns who that is
 * @throws SallyportError `not-permitted`: somebody who is neither root nor that user
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

/** A ring without a thread of the kernel's own does its work with the rights of whoever hands it in. */
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
