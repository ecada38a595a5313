import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { CliError } from '../lib/errors.ts';
import { readSettings, type SshdSettings } from '../lib/sshd-settings.ts';
import type { FileChange } from './record.ts';
import { dropInDirectory, mainFile, sshdProgram } from './sshd.ts';
import { readText } from './write.ts';

/** A user and a source address, for Match blocks. */
export interface Connection {
  readonly user: string;
  readonly address: string;
}

export interface Resolved {
  readonly settings: SshdSettings;
  /** Output of "sshd -T". */
  readonly text: string;
}

/** sshd's configuration with drop-ins that are not installed yet, as resolved by sshd. */
export interface Preview {
  /** @throws CliError refused: sshd's error */
  ask(connection?: Connection): Resolved;
  close(): void;
}

/** @param changes of drop-ins; empty for the current configuration */
export function previewSshd(changes: readonly FileChange[]): Preview {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-sshd-'));
  const paths = new Map<string, string | undefined>();
  for (const [index, { path, after }] of changes.entries()) {
    if (dirname(path) !== dropInDirectory) continue;
    const place = after === undefined ? undefined : join(directory, `${index}.conf`);
    if (place !== undefined) writeFileSync(place, after ?? '', { encoding: 'latin1', mode: 0o600 });
    paths.set(path, place);
  }
  const main = readText(mainFile) ?? '';
  const config = join(directory, 'sshd_config');
  writeFileSync(config, withDropIns(main, dropInNames(), paths), { encoding: 'latin1', mode: 0o600 });
  const known = new Map<string, Resolved>();
  const depends = hasMatch(main, paths);
  return {
    ask(connection) {
      const who =
        connection === undefined
          ? []
          : ['-C', `user=${connection.user},host=${connection.address},addr=${connection.address}`];
      const key = depends ? who.join(' ') : '';
      const answer = known.get(key) ?? resolved(config, who);
      known.set(key, answer);
      return answer;
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
}

function resolved(config: string, who: readonly string[]): Resolved {
  const run = spawnSync(sshdProgram, ['-T', '-f', config, ...who], { encoding: 'utf8', timeout: 10_000 });
  if (run.status !== 0)
    throw new CliError(
      'refused',
      `sshd -T: ${run.error?.message ?? run.stderr.trim().replaceAll(/\r?\n/g, '; ')}`,
    );
  return { settings: readSettings(run.stdout), text: run.stdout };
}

function dropInNames(): readonly string[] {
  return existsSync(dropInDirectory) ? readdirSync(dropInDirectory) : [];
}

/** Whether the result may depend on the connection: yes for Match blocks and for files included from elsewhere. */
function hasMatch(main: string, paths: ReadonlyMap<string, string | undefined>): boolean {
  const there = dropInNames()
    .map((name) => join(dropInDirectory, name))
    .filter((path) => !paths.has(path));
  const texts = [
    main,
    ...[...there, ...paths.values()].flatMap((path) => (path === undefined ? [] : (readText(path) ?? []))),
  ];
  const elsewhere = texts.some((text) =>
    [...text.matchAll(/^\s*include[\s=]+(.*)$/gim)].some(([, words = '']) =>
      wordsOf(words).some((word) => dirname(absolute(word)) !== dropInDirectory),
    ),
  );
  return elsewhere || texts.some((text) => /^\s*match[\s=]/im.test(text));
}

/**
 * The main file with each Include of the drop-in directory expanded in sshd's order. Pure.
 * @param names of the files in the directory; @param paths of changed drop-ins; undefined for a removed one
 */
export function withDropIns(
  main: string,
  names: readonly string[],
  paths: ReadonlyMap<string, string | undefined>,
): string {
  const all = [...new Set([...names, ...[...paths.keys()].map((path) => basename(path))])].sort();
  const files = (word: string): readonly string[] => {
    const path = absolute(word);
    if (dirname(path) !== dropInDirectory) return [word];
    return all
      .filter((name) => matches(basename(path), name))
      .flatMap((name) => {
        const real = join(dropInDirectory, name);
        return paths.has(real) ? (paths.get(real) ?? []) : names.includes(name) ? real : [];
      });
  };
  return main.replaceAll(/^([ \t]*)include[ \t=]+(.*)$/gim, (_line, indent: string, words: string) => {
    const included = wordsOf(words).flatMap(files);
    return included.length === 0 ? '# nothing to include' : `${indent}Include ${included.join(' ')}`;
  });
}

function wordsOf(text: string): readonly string[] {
  return [...text.replace(/\s#.*$/, '').matchAll(/"([^"]*)"|(\S+)/g)].map(
    ([, quoted, bare]) => quoted ?? bare ?? '',
  );
}

function absolute(word: string): string {
  return word.startsWith('/') ? word : join(dirname(mainFile), word);
}

/** A glob(7) pattern for names. */
function matches(pattern: string, name: string): boolean {
  if (name.startsWith('.') && !pattern.startsWith('.')) return false;
  const source = pattern
    .replaceAll(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source.replaceAll('[!', '[^')}$`).test(name);
}
