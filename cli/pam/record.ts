import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { syncDirectory } from '../../daemon/lib/durable.ts';
import { CliError, systemCode } from '../lib/errors.ts';
import { pamConfig } from './installed.ts';
import { isRootsOwn, readText, removeDurably, writeAtomically, writeSynced } from './write.ts';

/**
 * Every change with what was there before it, in a directory that is root's alone; pam-config/rollback/revert reads the
 * same files. A record is "try" while it is written or on trial, then "done/ID".
 *
 * What MUST hold:
 * - The record is whole, and on disk, before the first file is changed.
 * - There is one "try": renaming into place is what takes it.
 */
export const recordsDirectory = '/var/backups/sallyport';
const trying = join(recordsDirectory, 'try');
const done = join(recordsDirectory, 'done');
export const revertScript = join(recordsDirectory, 'revert');

export interface FileChange {
  readonly path: string;
  /** As latin1, byte for byte; undefined: there is no such file. */
  readonly before: string | undefined;
  readonly after: string | undefined;
  /** The one row that is ours, where the file is otherwise somebody else's. */
  readonly swap?: { readonly ours: string; readonly original: string };
}

export interface Change {
  readonly id: string;
  readonly action: 'enable' | 'disable';
  readonly service: string;
  /** Everything that the change reaches. */
  readonly services: readonly string[];
  /** Milliseconds since the epoch; for people. */
  readonly at: number;
  /** sshd's process id is in this file: it must read its configuration again. */
  readonly reload?: string;
  /** The place of the last audit event before the change. */
  readonly auditSeq?: number;
  /** Seconds that the change is on trial; absent: it is not. */
  readonly trial?: number;
}

/** A change on record. */
export interface Recorded extends Change {
  readonly files: readonly { readonly path: string; readonly swap?: FileChange['swap'] }[];
  /** Where its texts lie: "0.before", "0.after". */
  readonly directory: string;
}

export function changeId(action: string, service: string, at: number): string {
  const stamp = new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
  return `${stamp}-${action}-${service}-${process.pid}`;
}

export interface Clock {
  readonly bootId: string;
  /** Seconds since the machine started. */
  readonly uptime: number;
}

export function clock(): Clock {
  return {
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
    uptime: Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]),
  };
}

/** @throws CliError refused: another change is under way, or a file is no longer what was shown */
export function begin(change: Change, files: readonly FileChange[]): void {
  mustBeAsShown(files);
  prepareDirectory();
  const fresh = written(change, files);
  try {
    renameSync(fresh, trying);
  } catch (error) {
    rmSync(fresh, { recursive: true });
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    throw new CliError('refused', `another change is under way; see: sallyport pam show`);
  }
  syncDirectory(recordsDirectory);
  try {
    // Another change may have begun and ended since.
    mustBeAsShown(files);
  } catch (error) {
    rmSync(trying, { recursive: true, force: true });
    throw error;
  }
}

/**
 * For what must not be put back by itself: straight to what is done.
 * @returns false: there is no room for a record. The way out is not refused when it is wanted most
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

/** Every file is in place. @param uptime from then on logins go through the change */
export function noteWritten(): void {
  writeSynced(join(trying, 'written'), `${clock().uptime}\n`);
  try {
    syncDirectory(trying);
  } catch (error) {
    // A watcher has seen it already, and moved the record to what is done.
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

/** @returns false: it has been put back meanwhile */
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
  /** Putting back has begun. */
  readonly reverting: boolean;
  /** Uptime in seconds when its files were all in place; undefined: they are not yet. */
  readonly written: number | undefined;
  /** Seconds left; undefined: it is not on trial, but being written. */
  readonly left: number | undefined;
}

/** The change that is under way; undefined: none, or none that the caller may see. */
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

/** What was changed so far and not put back, the newest first. */
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

/** What a record says of the file at that place of its list. */
export function recordedText(record: Recorded, index: number, which: 'before' | 'after'): string | undefined {
  return readText(join(record.directory, `${index}.${which}`));
}

/** Puts the files in place, in their order; each is whole at every moment. */
export function writeFiles(files: readonly FileChange[]): void {
  for (const { path, after } of files) {
    if (after === undefined) removeDurably(path);
    else writeAtomically(path, after);
  }
}

/** Between the diff and the yes somebody may have edited, and that must not be lost. */
function mustBeAsShown(files: readonly FileChange[]): void {
  const edited = files.find(({ path, before }) => readText(path) !== before);
  if (edited !== undefined)
    throw new CliError(
      'refused',
      `${edited.path} has changed since it was shown, so nothing was changed; again, please`,
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
        `${directory} must be a directory that only root can write to; try: chown root: ${directory} && chmod 700 ${directory}`,
      );
}

function prepareScript(): void {
  const script = readText(join(pamConfig(), 'rollback/revert'));
  if (script === undefined)
    throw new CliError(
      'refused',
      `${pamConfig()}/rollback/revert is missing, without which nothing can be put back`,
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

/** In ticks since the machine started, as /proc says it. */
export function startOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
}

function readRecord(directory: string): Recorded | undefined {
  const text = readText(join(directory, 'record.json'));
  if (text === undefined) return undefined;
  // The directory is root's alone, and a record that is there is whole.
  return { ...(JSON.parse(text) as Omit<Recorded, 'directory'>), directory };
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes(systemCode(error));
}
