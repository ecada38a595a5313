import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { syncDirectory } from '../../daemon/lib/durable.ts';
import { CliError, systemCode } from '../lib/errors.ts';
import { pamConfig } from './installed.ts';
import { isRootsOwn, readText, removeDurably, writeAtomically, writeSynced } from './write.ts';

/**
 * Records of changes with the previous files, in a directory that only root can access; pam-config/rollback/revert
 * reads the same files. A record is "try" while it is written or on trial, then "done/ID".
 *
 * Invariants:
 * - The record is complete and durable before the first file is changed.
 * - There is at most one "try": the rename acquires it.
 */
export const recordsDirectory = '/var/backups/sallyport';
const trying = join(recordsDirectory, 'try');
const done = join(recordsDirectory, 'done');
export const revertScript = join(recordsDirectory, 'revert');

export interface FileChange {
  readonly path: string;
  /** As latin1, byte for byte; undefined if the file does not exist. */
  readonly before: string | undefined;
  readonly after: string | undefined;
  /** Our row, in a file that otherwise belongs to the administrator or the distribution. */
  readonly swap?: { readonly ours: string; readonly original: string };
}

export interface Change {
  readonly id: string;
  readonly action: 'enable' | 'disable';
  readonly service: string;
  /** All services that the change applies to. */
  readonly services: readonly string[];
  /** Milliseconds since the epoch; for display. */
  readonly at: number;
  /** PID file of the sshd that must be reloaded. */
  readonly reload?: string;
  /** Number of the last audit event before the change. */
  readonly auditSeq?: number;
  /** Seconds of the trial; absent without a trial. */
  readonly trial?: number;
}

/** A recorded change. */
export interface Recorded extends Change {
  readonly files: readonly { readonly path: string; readonly swap?: FileChange['swap'] }[];
  /** Directory of its texts: "0.before", "0.after". */
  readonly directory: string;
}

export function changeId(action: string, service: string, at: number): string {
  const stamp = new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
  return `${stamp}-${action}-${service}-${process.pid}`;
}

export interface Clock {
  readonly bootId: string;
  /** Seconds since boot. */
  readonly uptime: number;
}

export function clock(): Clock {
  return {
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
    uptime: Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]),
  };
}

/** @throws CliError refused: another change is in progress, or a file has changed since it was shown */
export function begin(change: Change, files: readonly FileChange[]): void {
  mustBeAsShown(files);
  prepareDirectory();
  const fresh = written(change, files);
  try {
    renameSync(fresh, trying);
  } catch (error) {
    rmSync(fresh, { recursive: true });
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    throw new CliError('refused', 'another change is in progress; see: sallyport pam show');
  }
  syncDirectory(recordsDirectory);
  try {
    // Another change may have been made since.
    mustBeAsShown(files);
  } catch (error) {
    rmSync(trying, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Records a change without a rollback, directly as done.
 * @returns false if the disk is full: disabling must work without a record
 */
export function keep(change: Change, files: readonly FileChange[]): boolean {
  mustBeAsShown(files);
  try {
    prepareRecords();
    renameSync(written(change, files), join(done, change.id));
    syncDirectory(done);
    return true;
  } catch (error) {
    if (!hasCode(error, 'ENOSPC', 'EDQUOT', 'EROFS')) throw error;
    return false;
  }
}

/** Marks all files as written. @throws CliError refused: the change was rolled back meanwhile */
export function noteWritten(): void {
  try {
    writeSynced(join(trying, 'written'), `${clock().uptime}\n`);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    throw new CliError('refused', 'the change was rolled back while it was made; see: sallyport pam show');
  }
  try {
    syncDirectory(trying);
  } catch (error) {
    // A rollback timer has already moved the record to done.
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

/** @returns false if it was rolled back meanwhile */
export function end(id: string): boolean {
  try {
    renameSync(trying, join(done, id));
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    return readRecord(join(done, id)) !== undefined && readText(join(done, id, 'result')) === undefined;
  }
  syncDirectory(recordsDirectory);
  return true;
}

export interface Trial {
  readonly change: Recorded;
  /** Whether the rollback has begun. */
  readonly reverting: boolean;
  /** Uptime in seconds when all files were written; undefined before that. */
  readonly written: number | undefined;
  /** Seconds left; undefined while it is being written. */
  readonly left: number | undefined;
}

/** The change in progress; undefined if no change is in progress, or the caller may not see it. */
export function currentTrial(): Trial | undefined {
  try {
    for (const directory of ['try', 'reverting'].map((name) => join(recordsDirectory, name))) {
      const change = readRecord(directory);
      if (change === undefined) continue;
      const written = readText(join(directory, 'written'));
      const deadline = readText(join(directory, 'deadline'));
      return {
        change,
        reverting: directory !== trying,
        written: written === undefined ? undefined : Number(written),
        left: deadline === undefined ? undefined : Math.max(0, Number(deadline) - clock().uptime),
      };
    }
  } catch (error) {
    if (!hasCode(error, 'EACCES')) throw error;
  }
  return undefined;
}

/** All changes that were not rolled back, the newest first. */
export function history(): readonly Recorded[] {
  try {
    return readdirSync(done)
      .sort()
      .reverse()
      .flatMap((name) => {
        const directory = join(done, name);
        return readText(join(directory, 'result')) === undefined ? (readRecord(directory) ?? []) : [];
      });
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

/** The recorded text of the file with that index. */
export function recordedText(record: Recorded, index: number, which: 'before' | 'after'): string | undefined {
  return readText(join(record.directory, `${index}.${which}`));
}

/** Writes the files in order, each atomically. */
export function writeFiles(files: readonly FileChange[]): void {
  for (const { path, after } of files) {
    if (after === undefined) removeDurably(path);
    else writeAtomically(path, after);
  }
}

/** Edits made between the diff and the confirmation must not be lost. */
function mustBeAsShown(files: readonly FileChange[]): void {
  const edited = files.find(({ path, before }) => readText(path) !== before);
  if (edited !== undefined)
    throw new CliError(
      'refused',
      `${edited.path} has changed since it was shown; nothing was changed; run the command again`,
    );
}

function prepareDirectory(): void {
  prepareRecords();
  prepareScript();
}

function prepareRecords(): void {
  mkdirSync(done, { recursive: true, mode: 0o700 });
  for (const directory of [dirname(recordsDirectory), recordsDirectory, done])
    if (!isRootsOwn(directory))
      throw new CliError(
        'refused',
        `${directory} must be a directory that only root can write to; run: chown root: ${directory} && chmod 700 ${directory}`,
      );
}

function prepareScript(): void {
  const script = readText(join(pamConfig(), 'rollback/revert'));
  if (script === undefined)
    throw new CliError(
      'refused',
      `${pamConfig()}/rollback/revert is missing, which a rollback requires; reinstall the package`,
    );
  if (readText(revertScript) !== script) writeAtomically(revertScript, script);
}

function written(change: Change, files: readonly FileChange[]): string {
  const directory = join(recordsDirectory, `.new-${change.id}`);
  mkdirSync(directory, { mode: 0o700 });
  const note = (name: string, text: string, like?: string) => writeSynced(join(directory, name), text, like);
  for (const [index, { path, before, after, swap }] of files.entries()) {
    note(`${index}.path`, `${path}\n`);
    if (before !== undefined) note(`${index}.before`, before, path);
    if (after !== undefined) note(`${index}.after`, after);
    if (swap === undefined) continue;
    note(`${index}.ours`, `${swap.ours}\n`);
    note(`${index}.original`, `${swap.original}\n`);
  }
  const { bootId, uptime } = clock();
  note('id', `${change.id}\n`);
  note('boot', `${bootId}\n`);
  note('writer', `${process.pid} ${startOf(process.pid)}\n`);
  if (change.reload !== undefined) note('reload', `${change.reload}\n`);
  if (change.trial !== undefined) note('deadline', `${Math.ceil(uptime + change.trial)}\n`);
  const listed = files.map(({ path, swap }) => ({ path, ...(swap === undefined ? {} : { swap }) }));
  note('record.json', `${JSON.stringify({ version: 1, ...change, files: listed })}\n`);
  syncDirectory(directory);
  return directory;
}

/** Ticks since boot, from /proc. */
export function startOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
}

function readRecord(directory: string): Recorded | undefined {
  const text = readText(join(directory, 'record.json'));
  if (text === undefined) return undefined;
  // Only root can access the directory, and every record in it is complete.
  return { ...(JSON.parse(text) as Omit<Recorded, 'directory'>), directory };
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes(systemCode(error));
}
