import { join } from 'node:path';
import { CliError } from '../errors.ts';
import { shipped } from '../pam-config.ts';
import { ourLines } from './check.ts';
import type { PamFiles } from './files.ts';
import type { IncludeLine } from './lines.ts';
import { overlaid } from './plan.ts';
import { filesOf, placeOf, readLines, readStack } from './read.ts';
import { type FileChange, type Recorded, recordedText } from './record.ts';
import { replaceLine, swapOf } from './rewrite.ts';
import { dropIns, isService } from './services.ts';
import { dropInFolder } from './sshd.ts';

const folder = '/etc/pam.d';
const ours = /^sallyport-(?!password$)/;
/** Files that distributions share between services. */
const shared: readonly string[] = ['password-auth', 'system-auth', 'common-auth'];

/** Services whose own file has our line, sorted. */
export function changedServices(files: PamFiles): readonly string[] {
  return files.names().filter((name) => isService(name) && ourIncludes(files, name).length > 0);
}

function ourIncludes(files: PamFiles, service: string): readonly IncludeLine[] {
  return readLines(files, service).flatMap((line) =>
    line.kind === 'include' && ours.test(line.target) ? [line] : [],
  );
}

/**
 * What takes our line, our drop-in and what nobody needs any more out again. Asks nobody but the files: it works
 * while everything else is broken. Empty: there is nothing of ours.
 * @throws CliError refused: lines that somebody wrote
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
        `${service} comes by ${placeOf(line)}, which is not a line of this command; take it out there, or in the file that includes it`,
      );
    return service === 'sshd' ? dropInChanges(files) : [];
  }
  let text = file.text;
  // From the end, so that the lines before keep their numbers.
  for (const line of lines.toReversed())
    text = replaceLine(text, line, originalOf(files, service, file.text, line, past));
  const record = newest(past, file.path, (one, index) => recordedText(one, index, 'after') === file.text);
  const made = record !== undefined && recordedText(record.record, record.index, 'before') === undefined;
  const own: FileChange = { path: file.path, before: file.text, after: made ? undefined : text };
  const after = overlaid(files, [own]);
  return [
    ...(service === 'sshd' ? dropInChanges(files) : []),
    own,
    ...[...new Set(lines.map(({ target }) => target))].flatMap((target) => unneeded(after, target, past)),
  ];
}

function originalOf(
  files: PamFiles,
  service: string,
  text: string,
  line: IncludeLine,
  past: readonly Recorded[],
): string {
  const row = text.split('\n')[line.line - 1] ?? '';
  const found = newest(past, line.file, (record, index) => record.files[index]?.swap?.ours === row);
  const original = found?.record.files[found.index]?.swap?.original;
  if (original !== undefined) return original;
  // Put there by hand: the file that the other phases of the service take theirs from.
  const others = readLines(files, service).flatMap((one) =>
    one.kind === 'include' && one.phase !== 'auth' && shared.includes(one.target) ? [one.target] : [],
  );
  const usual = line.phase === 'all' ? ['common-auth'] : [...others, ...shared];
  const target = usual.find((name) => files.read(name) !== undefined);
  if (target === undefined)
    throw new CliError(
      'refused',
      `${placeOf(line)}: no record says what stood there before; put the distribution's line back by hand`,
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

/** A drop-in of ours asks for what the stack no longer does, so it goes even where it was edited. */
function dropInChanges(files: PamFiles): readonly FileChange[] {
  const names = Object.values(dropIns).flatMap((name) => [`00-${name}`, name]);
  return names.flatMap((name) => {
    const file = files.read(join(dropInFolder, name));
    return file === undefined ? [] : [{ path: file.path, before: file.text, after: undefined }];
  });
}

/** The stack itself, once nobody includes it, unless somebody has written in it. */
function unneeded(after: PamFiles, target: string, past: readonly Recorded[]): readonly FileChange[] {
  const path = join(folder, target);
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
