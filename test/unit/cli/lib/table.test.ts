import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { widthOf, wordsOf, wrapped } from '../../../../cli/lib/columns.ts';
import { createTable, factLines } from '../../../../cli/lib/table.ts';

/** The display of a terminal with the given width. */
function shown(columns: number, titles: readonly string[], ...batches: (readonly string[])[][]): string[] {
  const lines: string[] = [];
  const line = (text: string) => void lines.push(text);
  const table = createTable(titles, { columns: () => columns, line, heading: line });
  for (const rows of batches) table.print(rows);
  return lines;
}

const titles = ['USER', 'FACTORS', 'LAST LOGIN', 'ACCOUNT'];
const alice = ['alice', 'totp,recovery (disabled)', '2025-03-01 09:30:00', 'exists'];
const bob = ['bob', '-', '-', 'gone'];

test('a table that fits has a line for each row', () => {
  assert.deepEqual(shown(80, titles, [alice, bob]), [
    'USER   FACTORS                   LAST LOGIN           ACCOUNT',
    'alice  totp,recovery (disabled)  2025-03-01 09:30:00  exists',
    'bob    -                         -                    gone',
  ]);
});

test('cells that are too long are wrapped, at spaces and after commas', () => {
  assert.deepEqual(shown(50, titles, [alice, bob]), [
    'USER   FACTORS           LAST LOGIN        ACCOUNT',
    'alice  totp,recovery     2025-03-01        exists',
    '       (disabled)        09:30:00',
    'bob    -                 -                 gone',
  ]);
});

test('if columns do not fit side by side each row is a block, without empty fields', () => {
  assert.deepEqual(shown(30, titles, [alice, bob]), [
    'USER: alice',
    '  FACTORS: totp,recovery',
    '      (disabled)',
    '  LAST LOGIN: 2025-03-01',
    '      09:30:00',
    '  ACCOUNT: exists',
    'USER: bob',
    '  ACCOUNT: gone',
  ]);
});

test('a row with a word longer than its column is a block between the others', () => {
  const long = 'somebody.with.a.long.name@department.corp.example';
  const lines = shown(50, titles, [alice, [long, 'totp', '2025-03-01 09:30:00', 'exists']]);
  assert.match(lines[0] ?? '', /^USER /);
  assert.deepEqual(lines.slice(-4), [
    'USER:',
    `    ${long}`,
    '  FACTORS: totp  LAST LOGIN: 2025-03-01 09:30:00',
    '  ACCOUNT: exists',
  ]);
});

test('a link is unbroken, whatever the width', () => {
  const link = `https://portal.corp.example/invite#${'x'.repeat(60)}`;
  for (const columns of [20, 40, 80, 200])
    assert.ok(
      shown(columns, ['USER', 'LINK'], [['alice', link]])
        .join('\n')
        .includes(link),
    );
});

test('a table that grows keeps its columns, and has a new heading when they widen', () => {
  const one = ['alice', 'totp', '-', 'exists'];
  const lines = shown(80, titles, [one], [one], [['a-longer-name', 'totp', '-', 'exists']]);
  const headings = lines.filter((line) => line.startsWith('USER '));
  assert.deepEqual(headings, [lines[0], lines[3]]);
  assert.equal(lines[1], lines[2]);
});

test('a table without rows has its heading', () => {
  assert.deepEqual(shown(80, titles, []), ['USER  FACTORS  LAST LOGIN  ACCOUNT']);
});

test('a mark in a column without a title precedes what it marks', () => {
  const rows = [['>>', 'auth required pam_sallyport.so', '/etc/pam.d/sshd:3']];
  assert.deepEqual(shown(30, ['', 'LINE', 'PLACE'], rows), [
    '>> LINE: auth required',
    '    pam_sallyport.so',
    '  PLACE: /etc/pam.d/sshd:3',
  ]);
});

test('letters of two columns count as two, combining marks as none', () => {
  assert.deepEqual(['Zoë', 'Zoe\u0308', '名前', 'a'].map(widthOf), [3, 3, 4, 1]);
});

const word = fc.stringMatching(/^[a-z0-9名]{1,24}$/);
const cell = fc.array(word, { maxLength: 6 }).map((words) => words.join(' ') || '-');
const rowsOf4 = fc.array(fc.tuple(cell, cell, cell, cell), { maxLength: 8 });

test('for any cells: no line is wider than the terminal except for one word, and no word is missing or broken', () => {
  fc.assert(
    fc.property(rowsOf4, fc.integer({ min: 20, max: 160 }), (rows, columns) => {
      const lines = shown(columns, ['A', 'B', 'C D', 'E'], rows);
      for (const text of lines) {
        const words = wordsOf(text.replace(/^ *[A-E]( D)?: /, '')).length;
        assert.ok(widthOf(text) <= columns || words === 1, `${columns}: ${text}`);
      }
      const said = lines.flatMap(wordsOf).toSorted();
      for (const text of rows.flat().flatMap(wordsOf)) assert.ok(text === '-' || said.includes(text), text);
    }),
  );
});

test('facts are beside their names, or below them without space', () => {
  const plain = (text: string) => text;
  const facts = [
    ['user', 'alice'],
    ['last login', 'yesterday at noon, from a machine far away'],
  ] as const;
  assert.deepEqual(factLines(facts, 40, plain), [
    'user        alice',
    'last login  yesterday at noon, from a',
    '            machine far away',
  ]);
  const link = 'x'.repeat(30);
  assert.deepEqual(factLines([['last login', `the ${link}`]], 34, plain), [
    'last login',
    `  the`,
    `  ${link}`,
  ]);
});

test('wrapping keeps the beginning of a line', () => {
  assert.deepEqual(wrapped('  one two three', 9), ['  one two', '  three']);
});
