import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Command } from 'commander';
import { programOf } from '../../../cli/program.ts';
import { documentSchema, realmSchema, ruleSchema } from '../../../daemon/config/schema.ts';
import { fromMarkdown } from '../../../man/from-markdown.ts';
import { argument, literal, text } from '../../../man/mdoc.ts';
import { manualPages } from '../../../man/pages.ts';
import { nowhere } from '../../../man/world.ts';
import { projectRoot } from '../../support/project.ts';

/** The manual pages: well-formed, complete, and consistent with the programs and docs/. */

const world = nowhere('1.2.3');
const pages = manualPages(projectRoot, world, 'November 24, 2026');

function mandoc(page: string, ...options: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('mandoc', options, { input: page, encoding: 'utf8' });
  return `${stdout}${stderr}${status === 0 ? '' : `status ${status}`}`;
}

/** As displayed, without line breaks; bold is a letter, a backspace and the letter again. */
const asRead = (page: string) =>
  mandoc(page, '-Tutf8', '-O', 'width=1000')
    .split('\b')
    .map((part, index, all) => (index < all.length - 1 ? part.slice(0, -1) : part))
    .join('')
    .replace(/\s+/g, ' ');

const leaves = (command: Command): readonly Command[] =>
  command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);

describe('every manual page', () => {
  for (const [name, page] of pages)
    test(`${name} is well-formed`, () => {
      assert.equal(mandoc(page, '-Tlint', '-W', 'warning'), '');
    });

  test('describes each command, argument and option as --help does', () => {
    const read = asRead(pages.get('sallyport.8') ?? '').toLowerCase();
    const shown = leaves(programOf(world).program).filter((one) => one.name() !== 'complete');
    assert.ok(shown.length > 20);
    for (const command of shown) {
      assert.ok(read.includes(command.description().replace(/\s+/g, ' ').toLowerCase()), command.name());
      for (const { flags, description } of command.options.filter(({ hidden }) => !hidden))
        for (const said of [flags, description])
          assert.ok(read.includes(said.toLowerCase()), `${command.name()}: ${said}`);
    }
    assert.doesNotMatch(pages.get('sallyport.8') ?? '', /^\.Ss complete$/m, 'what is for scripts alone');
  });

  test('names each option of the module', () => {
    const rules = readFileSync(join(projectRoot, 'native/module/options.c'), 'utf8');
    const known = [...rules.matchAll(/^ {4}\{"([a-z_=]+)", take_/gm)].map((match) => match[1] ?? '');
    const reported = rowsOf('reference/pam-module.md', '## Options').map((row) =>
      row.replace(/=(?:[A-Z]+|passed)$/, '='),
    );
    assert.ok(known.length >= 8);
    assert.deepEqual([...reported].sort(), [...known].sort());
  });

  test('names each setting of the configuration', () => {
    const keys = (schema: { readonly entries: object }) => Object.keys(schema.entries);
    const tables = documentSchema.entries;
    const within = (name: 'paths' | 'webauthn' | 'portal' | 'audit') => keys(tables[name].wrapped);
    const single = keys(documentSchema).filter(
      (key) => !['paths', 'webauthn', 'portal', 'audit', 'realm'].includes(key),
    );
    const atTop = [...single, ...within('audit').map((key) => `audit.${key}`)];
    const expected: readonly (readonly [string, readonly string[]])[] = [
      ['### At the top', atTop],
      ['### `[paths]`', within('paths')],
      ['### `[webauthn]`', within('webauthn')],
      ['### `[portal]`', within('portal')],
      ['### `[[realm]]`', keys(realmSchema).filter((key) => key !== 'rule')],
      ['### `[[realm.rule]]`', keys(ruleSchema)],
    ];
    for (const [heading, wanted] of expected)
      assert.deepEqual(
        [...rowsOf('reference/configuration.md', heading)].sort(),
        [...wanted].sort(),
        heading,
      );
  });
});

/** The first column of the first table below a heading; a row may name two. */
function rowsOf(file: string, heading: string): readonly string[] {
  const page = readFileSync(join(projectRoot, 'docs', file), 'utf8');
  const below = page.split(`${heading}\n`)[1] ?? '';
  const table = /(?:^\|.*\n)+/m.exec(below.split(/^#/m)[0] ?? '')?.[0] ?? '';
  return table
    .split('\n')
    .slice(2)
    .flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''));
}

describe('text in a manual page', () => {
  const said = (body: string) =>
    asRead(`.Dd November 24, 2026\n.Dt X 8\n.Os\n.Sh NAME\n.Nm x\n.Nd y\n.Sh TEXT\n${body}`);

  test('is never interpreted as a request, a macro or an escape', () => {
    for (const hostile of [
      '.Sh OTHER',
      "'br",
      'a\\fBb\\s9',
      'say "Nm Ar" -- it`s',
      'one. .Sh two',
      'Ünï → ß',
      '\\*(',
    ]) {
      const flat = hostile.replace(/\s+/g, ' ');
      assert.ok(said(text(hostile)).includes(flat), hostile);
      assert.ok(said(literal(hostile)).includes(flat), hostile);
      assert.ok(said(`.Bl -tag -width Ds\n.It ${argument(hostile)}\nx\n.El`).includes(flat), hostile);
      assert.ok(said(fromMarkdown(`\`\`\`\n${hostile}\n\`\`\`\n`)).includes(flat), hostile);
    }
  });

  test('with an unknown construct is an error', () => {
    assert.throws(() => fromMarkdown('<b>html</b>\n'), /cannot be made of/);
    assert.throws(() => fromMarkdown('![picture](x.png)\n'), /cannot be made of/);
  });
});
