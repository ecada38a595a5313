import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import type { Command } from 'commander';
import { programOf } from '../../../cli/program.ts';
import { nowhere } from '../../../man/world.ts';
import { projectRoot, writtenFiles } from '../../support/project.ts';

/** Every sallyport command in a page exists, with the options used there. */

const { program } = programOf(nowhere('1.2.3'));
const pages = writtenFiles().filter((path) => path.endsWith('.md') && path !== 'docs/reference/cli.md');

/** The words after `sallyport` in a page: lines of shell, and code within text. */
function commandsIn(markdown: string): readonly (readonly string[])[] {
  const blocks = [...markdown.matchAll(/^ *```sh\n([\s\S]*?)^ *```$/gm)].flatMap(([, text = '']) =>
    text.replaceAll('\\\n', ' ').split(/\n|&&|;|\|/),
  );
  const inline = [
    ...markdown.replace(/^ *```[\s\S]*?^ *```$/gm, '').matchAll(/`((?:sudo )?sallyport [^`]+)`/g),
  ];
  return [...blocks, ...inline.map(([, text = '']) => text)]
    .map((line) => /^\s*(?:sudo )?sallyport (.*)$/.exec(line.replace(/\s#.*$|>.*$/, ''))?.[1])
    .filter((words) => words !== undefined)
    .map((words) =>
      words
        .replace(/'[^']*'|"[^"]*"/g, 'TEXT')
        .trim()
        .split(/\s+/),
    );
}

/** @returns why sallyport would not accept these words; undefined if it would */
function faultIn(words: readonly string[]): string | undefined {
  let command: Command = program;
  for (const word of words) {
    const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (next === undefined) break;
    command = next;
  }
  const rest = words.slice(depthOf(command));
  const isGroup = command.commands.length > 0;
  const [operand = ''] = rest;
  if (isGroup && /^[a-z]/.test(operand)) return `no command "${operand}"`;
  const known = [...command.options, ...program.options, ...(isGroup ? optionsBelow(command) : [])];
  const strange = rest
    .filter((word) => word.startsWith('--'))
    .map((word) => word.replace(/[=,.…].*$/, ''))
    .find((option) => option !== '--help' && !known.some(({ long }) => long === option));
  return strange === undefined ? undefined : `no option ${strange}`;
}

function depthOf(command: Command): number {
  return command.parent === null ? 0 : depthOf(command.parent) + 1;
}

/** A text may name an option that several commands of a group have. */
function optionsBelow(command: Command): readonly Command['options'][number][] {
  return command.commands.flatMap((one) => [...one.options, ...optionsBelow(one)]);
}

it('every command that a page names exists, with its options', () => {
  const named = pages.flatMap((page) =>
    commandsIn(readFileSync(join(projectRoot, page), 'utf8')).map((words) => ({ page, words })),
  );
  assert.ok(named.length > 120, String(named.length));
  const faults = named.flatMap(({ page, words }) => {
    const fault = faultIn(words);
    return fault === undefined ? [] : [`${page}: sallyport ${words.join(' ')}: ${fault}`];
  });
  assert.deepEqual(faults, []);
});

it('every npm command that a page names is in package.json', () => {
  const { scripts } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'));
  const named = pages.flatMap((page) =>
    [
      ...readFileSync(join(projectRoot, page), 'utf8').matchAll(
        /\bnpm (?:run )?(start|test|(?<=run )[\w:]+)/g,
      ),
    ].map(([, script = '']) => ({ page, script })),
  );
  assert.ok(named.length > 20, String(named.length));
  assert.deepEqual(
    named.filter(({ script }) => !(script in scripts)),
    [],
  );
});

it('every area of tests that CONTRIBUTING.md names has tests', () => {
  const page = readFileSync(join(projectRoot, 'CONTRIBUTING.md'), 'utf8');
  const areas = [...page.matchAll(/`((?:e2e|long|unit)\/[\w./-]+)`/g)].map(([, area = '']) => area);
  assert.ok(areas.length > 20, String(areas.length));
  const tests = writtenFiles('test').filter((path) => path.endsWith('.test.ts'));
  // As `npm test -- --only` matches.
  assert.deepEqual(
    areas.filter((area) => !tests.some((path) => path.includes(area)) && !/\.(ts|tsx)$/.test(area)),
    [],
  );
});
