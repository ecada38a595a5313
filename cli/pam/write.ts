import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { syncDirectory } from '../../daemon/lib/durable.ts';
import { replaceFile } from '../../daemon/lib/write-file.ts';

/**
 * Atomic writes of files that control logins.
 *
 * Invariants:
 * - A reader sees the old file or the new one, even after a power failure.
 * - Mode, owner and SELinux context stay; a new file is root's, 0644.
 * - A link stays a link: its target is written.
 * - The temporary file has a name that neither libpam nor sshd's Include reads.
 */
export function writeAtomically(path: string, text: string): void {
  const old = statOf(path);
  replaceFile(path, text, {
    temporary: (target) => join(dirname(target), `.sallyport-${process.pid}.new`),
    mode: old === undefined ? 0o644 : old.mode & 0o7777,
    owner: { uid: old?.uid ?? 0, gid: old?.gid ?? 0 },
    encoding: 'latin1',
    links: 'follow',
    ready: (temporary, target) => keepContext(temporary, target, old !== undefined),
  });
}

/** A missing file is not an error. */
export function removeDurably(path: string): void {
  rmSync(path, { force: true });
  syncDirectory(dirname(path));
}

/** @returns undefined if the file does not exist */
export function readText(path: string): string | undefined {
  return statOf(path) === undefined ? undefined : readFileSync(path, 'latin1');
}

/** Writes and syncs a record file; the caller syncs the directory once. */
export function writeSynced(path: string, text: string, like?: string): void {
  const file = openSync(path, 'wx', 0o600);
  try {
    writeFileSync(file, text, 'latin1');
    const owner = like === undefined ? undefined : statOf(like);
    if (owner !== undefined) {
      fchmodSync(file, owner.mode & 0o7777);
      fchownSync(file, owner.uid, owner.gid);
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function statOf(path: string) {
  return statSync(path, { throwIfNoEntry: false });
}

/** Node cannot set extended attributes; with SELinux enabled its tools are installed. */
function keepContext(temporary: string, target: string, replaces: boolean): void {
  if (!existsSync('/sys/fs/selinux/enforce')) return;
  if (replaces) spawnSync('chcon', ['--reference', target, temporary]);
  // A new file gets the policy's context for its final name.
  else {
    const policy = spawnSync('matchpathcon', ['-n', target], { encoding: 'utf8' });
    if (policy.status === 0) spawnSync('chcon', [policy.stdout.trim(), temporary]);
  }
}

/** Threat: a user who can write here controls the rollback. Only root may own it. */
export function isRootsOwn(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found !== undefined && !found.isSymbolicLink() && found.uid === 0 && (found.mode & 0o022) === 0;
}
