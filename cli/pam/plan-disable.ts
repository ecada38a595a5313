import { join } from 'node:path';
import { CliError } from '../lib/errors.ts';
import { ourLines } from './check.ts';
import type { PamFile, PamFiles } from './files.ts';
import { shipped } from './installed.ts';
import { type IncludeLine, parseLines } from './lines.ts';
import { dropInsThere, overlaid } from './plan.ts';
import { filesOf, placeOf, readLines, readStack } from './read.ts';
import { type FileChange, type Recorded, recordedText } from './record.ts';
import { replaceLine, swapOf } from './rewrite.ts';
import { dropIns, isService } from './services.ts';

const directory = '/etc/pam.d';
const ours = /^sallyport-(?!password$)/;
/** Files that distributions share between services. */
const shared: readonly string[] = ['password-auth', 'system-auth', 'common-auth'];

/** Services whose own file includes a ready stack, sorted. */
export function changedServices(files: PamFiles): readonly string[] {
  return files.names().filter((name) => isService(name) && ourIncludes(files, name).length > 0);
}

function ourIncludes(files: PamFiles, service: string): readonly IncludeLine[] {
  return readLines(files, service).flatMap((line) =>
    line.kind === 'include' && ours.test(line.target) ? [line] : [],
  );
}

/** The line of a service's own file that includes a ready stack, unless an administrator wrote it. */
export function readyInclude(files: PamFiles, service: string): IncludeLine | undefined {
  return ourIncludes(files, service).find(({ target }) => namesShipped(target));
}

/**
 * Plans the removal of our line, our drop-in and files that are no longer needed. Reads only files: it works while
 * everything else is broken. Empty if there is nothing to remove.
 * @throws CliError refused: lines that an administrator wrote
 */
export function planDisable(
  files: PamFiles,
  service: string,
  past: readonly Recorded[],
): readonly FileChange[] {
  const file = files.read(service);
  const lines = ourIncludes(files, service);
  if (file === undefined || lines.length === 0) {
    const [line] = ourLines(readStack(files, service, 'auth'));
    if (line !== undefined)
      throw new CliError(
        'refused',
        `${service} runs ${placeOf(line)}, which this command did not write; remove it there, or in the file that includes it`,
      );
    return service === 'sshd' ? dropInChanges(files) : [];
  }
  let text = file.text;
  // From the end, so that earlier line numbers stay valid.
  for (const line of lines.toReversed())
    text = replaceLine(text, line, originalOf(files, service, file.text, line, past));
  const made = wasMade(past, file);
  const own: FileChange = { path: file.path, before: file.text, after: made ? undefined : text };
  const after = overlaid(files, [own]);
  return [
    ...(service === 'sshd' ? dropInChanges(files) : []),
    own,
    ...[...new Set(lines.map(({ target }) => target))].flatMap((target) => unneeded(after, target, past)),
  ];
}

/** The whole file is ours: it overrides the vendor's file. */
function wasMade(past: readonly Recorded[], { path, text }: PamFile): boolean {
  const found = newest(past, path, (one, index) => recordedText(one, index, 'after') === text);
  if (found === undefined) return false;
  const before = recordedText(found.record, found.index, 'before');
  return before === undefined || wasMade(olderThan(past, found.record), { path, text: before });
}

function olderThan(past: readonly Recorded[], record: Recorded): readonly Recorded[] {
  return past.slice(past.indexOf(record) + 1);
}

/** @returns the rows that a recorded change replaced with this one; undefined without a record */
function replaced(past: readonly Recorded[], path: string, row: string): string | undefined {
  const found = newest(past, path, (record, index) => record.files[index]?.swap?.ours === row);
  const original = found?.record.files[found.index]?.swap?.original;
  if (found === undefined || original === undefined) return undefined;
  // After a switch between ready stacks: the rows from before the first of them.
  const [line] = parseLines(original, path);
  return line?.kind === 'include' && namesShipped(line.target)
    ? replaced(olderThan(past, found.record), path, original)
    : original;
}

function originalOf(
  files: PamFiles,
  service: string,
  text: string,
  line: IncludeLine,
  past: readonly Recorded[],
): string {
  const row = text.split('\n')[line.line - 1] ?? '';
  const original = replaced(past, line.file, row);
  if (original !== undefined) return original;
  // Written by hand: the file that the other phases of the service include.
  const others = readLines(files, service).flatMap((one) =>
    one.kind === 'include' && one.phase !== 'auth' && shared.includes(one.target) ? [one.target] : [],
  );
  const usual = line.phase === 'all' ? ['common-auth'] : [...others, ...shared];
  const target = usual.find((name) => files.read(name) !== undefined);
  if (target === undefined)
    throw new CliError(
      'refused',
      `${placeOf(line)}: no record of the previous line; restore the distribution's line by hand`,
    );
  return swapOf(text, line, target).ours;
}

function newest(
  past: readonly Recorded[],
  path: string,
  fits: (record: Recorded, index: number) => boolean,
): { readonly record: Recorded; readonly index: number } | undefined {
  for (const record of past) {
    if (record.action !== 'enable') continue;
    const index = record.files.findIndex((file) => file.path === path);
    if (index >= 0 && fits(record, index)) return { record, index };
  }
  return undefined;
}

/** Our drop-in requires what the stack no longer provides, so it is removed even if it was edited. */
function dropInChanges(files: PamFiles): readonly FileChange[] {
  const there = dropInsThere(files, Object.values(dropIns));
  return there.map(({ path, text }) => ({ path, before: text, after: undefined }));
}

/** The stack itself, once no file includes it, unless an administrator edited it. */
function unneeded(after: PamFiles, target: string, past: readonly Recorded[]): readonly FileChange[] {
  const path = join(directory, target);
  const text = after.read(path)?.text;
  if (text === undefined) return [];
  if (after.names().some((name) => name !== target && filesOf(after, name).includes(path))) return [];
  const wrote = newest(past, path, (record, index) => recordedText(record, index, 'after') === text);
  const asShipped = namesShipped(target) && shipped(`pam.d/${target}`) === text;
  return wrote === undefined && !asShipped ? [] : [{ path, before: text, after: undefined }];
}

function namesShipped(target: string): boolean {
  try {
    return shipped(`pam.d/${target}`) !== '';
  } catch {
    return false;
  }
}
