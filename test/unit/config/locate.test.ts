import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parse } from 'smol-toml';
import { type KeyPath, locate } from '../../../daemon/config/locate.ts';
import { fc } from '../../support/property.ts';

describe('locate', () => {
  it('finds every kind of key in a hand-written file', () => {
    const text = [
      '# comment with [table] and key = 1', // 1
      'top = 1', // 2
      'long = """', // 3
      '[not.a.table]', // 4
      'nor = "a key" \\""" """', // 5
      "raw = '''", // 6
      "x = 1''''", // 7
      '[paths]', // 8
      'a.b."c d" = "]#"', // 9
      'list = [ # why', // 10
      '  "1", [', // 11
      '  2 ], # so', // 12
      '  { k = "}", l.m = 3 }', // 13
      ']', // 14
      '[[realm]]', // 15
      'name = "one"', // 16
      '[realm.totp]', // 17
      'digits = 6', // 18
      '  [[realm.rule]]', // 19
      '  action = { \'remember\' = "15m" }', // 20
      '  [[realm.rule]]', // 21
      '[[realm]]', // 22
      '  [[realm.rule]]', // 23
      '  from = ["a",', // 24
      '          "b"]', // 25
      'until = 2027-01-31 07:00:00Z # date', // 26
      '[ "quoted" . table ]', // 27
      'z=1', // 28
    ].join('\r\n');
    parse(text);
    const { lineOf } = locate(text);
    const expected: [KeyPath, number][] = [
      [['top'], 2],
      [['long'], 3],
      [['raw'], 6],
      [['paths'], 8],
      [['paths', 'a'], 9],
      [['paths', 'a', 'b', 'c d'], 9],
      [['paths', 'list'], 10],
      [['paths', 'list', 0], 11],
      [['paths', 'list', 1, 0], 12],
      [['paths', 'list', 2, 'k'], 13],
      [['paths', 'list', 2, 'l', 'm'], 13],
      [['realm'], 15],
      [['realm', 0], 15],
      [['realm', 0, 'name'], 16],
      [['realm', 0, 'totp'], 17],
      [['realm', 0, 'totp', 'digits'], 18],
      [['realm', 0, 'rule', 0], 19],
      [['realm', 0, 'rule', 0, 'action', 'remember'], 20],
      [['realm', 0, 'rule', 1], 21],
      [['realm', 1], 22],
      [['realm', 1, 'rule', 0], 23],
      [['realm', 1, 'rule', 0, 'from', 1], 25],
      [['realm', 1, 'rule', 0, 'until'], 26],
      [['quoted', 'table', 'z'], 28],
      [['paths', 'missing'], 8],
      [['realm', 1, 'missing', 'too'], 22],
      [['missing'], 1],
    ];
    for (const [path, line] of expected) assert.equal(lineOf(path), line, JSON.stringify(path));
  });

  /** A file as a list of lines, of which each key contains its own line number. */
  interface Draft {
    readonly lines: string[];
    readonly places: [KeyPath, number][];
  }

  const scalar = fc.oneof(
    fc.constantFrom(
      '1',
      'true',
      '1979-05-27',
      '"]"',
      "'#'",
      '"a \\" = b"',
      '"""one"""',
      "'''[x]'''",
      '-1.5e3',
    ),
    fc.string().map((text) => JSON.stringify(text).replaceAll('\u007f', '\\u007f')),
  );
  const filler = fc.array(fc.constantFrom('', '  # [[realm]]', '# key = "', '\t'), { maxLength: 2 });
  const entry = fc.record({
    filler,
    key: fc.constantFrom('k', '"k"', "'k'", '  k  '),
    value: fc.oneof(
      scalar.map((text) => ({ text, height: 1, items: [] as number[] })),
      fc.array(fc.tuple(filler, scalar), { maxLength: 4 }).map((items) => {
        const rows = items.flatMap(([above, item]) => [...above, `${item}, # ]`]);
        const at: number[] = [];
        let row = 0;
        for (const [above] of items) {
          row += above.length + 1;
          at.push(row);
        }
        return { text: ['[', ...rows, ']'].join('\n'), height: rows.length + 2, items: at };
      }),
      fc.constantFrom('"""', "'''").map((quote) => ({
        text: `${quote}\n[[realm]]\nk = 1 # ]\n${quote}`,
        height: 4,
        items: [] as number[],
      })),
    ),
  });
  const table = fc.record({
    filler,
    header: fc.constantFrom('[[realm]]', '[[realm.rule]]', '[plain]'),
    entries: fc.array(entry, { maxLength: 4 }),
  });

  function write(tables: readonly Table[]): Draft {
    const lines: string[] = [];
    const places: [KeyPath, number][] = [];
    let realms = 0;
    let rules = 0;
    let plains = 0;
    for (const { filler: above, header, entries } of tables) {
      lines.push(...above);
      let path: KeyPath;
      if (header === '[[realm.rule]]' && realms > 0) path = ['realm', realms - 1, 'rule', rules++];
      else if (header === '[plain]') path = [`plain${plains++}`];
      else {
        path = ['realm', realms++];
        rules = 0;
      }
      const plain = path[0] !== 'realm';
      const text = plain
        ? `[plain${plains - 1}] # ]]`
        : path.length === 4
          ? '  [[realm.rule]]'
          : '[[ realm ]]';
      lines.push(text);
      places.push([path, lines.length]);
      entries.forEach(({ filler: before, key, value }, index) => {
        lines.push(...before);
        const at = lines.length + 1;
        lines.push(...`${key.replace('k', `k${index}`)} = ${value.text}`.split('\n'));
        const place = [...path, `k${index}`];
        places.push([place, at]);
        value.items.forEach((row, item) => {
          places.push([[...place, item], at + row]);
        });
      });
    }
    return { lines, places };
  }

  type Table = typeof table extends fc.Arbitrary<infer T> ? T : never;

  it('gives the right line for every key of a random file', () => {
    fc.assert(
      fc.property(fc.array(table, { maxLength: 8 }), fc.constantFrom('\n', '\r\n'), (tables, end) => {
        const { lines, places } = write(tables);
        const text = lines.join(end);
        parse(text);
        const map = locate(text);
        for (const [path, line] of places) {
          assert.equal(map.lineOf(path), line, `${JSON.stringify(path)} in\n${text}`);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('ends on any text, and never throws', () => {
    const piece = fc.constantFrom(
      '[',
      ']',
      '[[',
      '{',
      '}',
      '"',
      "'",
      '"""',
      '=',
      '.',
      ',',
      '#',
      '\n',
      '\\',
      'a',
      ' ',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece, { maxLength: 30 }).map((parts) => parts.join('')),
        ),
        (text) => {
          assert.ok(locate(text).lineOf(['a', 0, 'b']) >= 1);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
