import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encode } from 'uqr';
import { qrCode } from '../../../daemon/lib/qr.ts';
import { fc } from '../../support/property.ts';
import { scan } from '../../support/screen-picture.ts';

const uri = 'otpauth://totp/Host:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
const long = `${uri}&issuer=a.rather.long.name.example`;
const roomy = { columns: 200, rows: 60 };

/** The drawn modules, read back from the screen. */
function readBack(picture: string): boolean[][] {
  const rows: boolean[][] = [];
  for (const line of picture.split('\n')) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours are what is looked for
    const blocks = [...line.replace(/\x1b\[[\d;]*m/g, '')];
    rows.push(blocks.map((block) => block === '█' || block === '▀'));
    rows.push(blocks.map((block) => block === '█' || block === '▄'));
  }
  return rows;
}

const textOf = (picture: string | undefined): string => {
  assert.ok(picture !== undefined);
  return picture;
};
const widthOf = (picture: string) => Math.max(...picture.split('\n').map((line) => [...line].length));

describe('with colours', () => {
  it('the screen shows the code, black on white, with a quiet zone of four modules on each side', () => {
    const { data, size } = encode(uri, { ecc: 'L', border: 0 });
    const picture = textOf(qrCode([uri], { style: 'colours', ...roomy }));
    const rows = readBack(picture);
    for (let row = 0; row < size + 8; row += 1)
      for (let column = 0; column < size + 8; column += 1)
        assert.equal(rows[row]?.[column], data[row - 4]?.[column - 4] === true, `${row},${column}`);
    for (const line of picture.split('\n')) {
      assert.ok(line.startsWith('\x1b[30;47;107m'));
      assert.ok(line.endsWith('\x1b[0m'));
    }
  });

  it('it can be scanned on a dark and on a light terminal', () => {
    const lines = textOf(qrCode([uri], { style: 'colours', columns: 80, rows: 21 })).split('\n');
    for (const theme of ['dark', 'light'] as const) assert.deepEqual(scan(lines, 80, theme), [uri], theme);
  });
});

describe('without colours', () => {
  for (const [what, text] of [
    ['a short text', uri],
    ['a longer one', long],
  ] as const)
    for (const theme of ['dark', 'light'] as const)
      it(`${what} can be scanned on a ${theme} terminal of 80 columns and 24 rows, with text around it`, () => {
        const picture = textOf(qrCode([text], { style: 'plain', columns: 80, rows: 21 }));
        const lines = ['(alice@host) Words, and more words', ...picture.split('\n'), 'secret', 'Code: '];
        assert.ok(lines.length <= 24, `${lines.length} rows`);
        assert.ok(scan(lines, 80, theme).includes(text));
      });

  it('only one is drawn if there is no space for two, for dark terminals', () => {
    const lines = textOf(qrCode([uri], { style: 'plain', columns: 60, rows: 21 })).split('\n');
    assert.ok(widthOf(lines.join('\n')) <= 41);
    assert.deepEqual(scan(lines, 60, 'dark'), [uri]);
    assert.deepEqual(scan(lines, 60, 'light'), []);
  });

  it('has no control characters but line ends', () => {
    assert.doesNotMatch(textOf(qrCode([uri], { style: 'plain', ...roomy })), /[^\P{Cc}\n]/u);
  });
});

describe('the available space', () => {
  it('is never exceeded: columns, rows and bytes', () => {
    const sizes = {
      columns: fc.integer({ min: 1, max: 120 }),
      rows: fc.integer({ min: 1, max: 40 }),
      bytes: fc.integer({ min: 100, max: 6_000 }),
      length: fc.integer({ min: 1, max: 300 }),
    };
    fc.assert(
      fc.property(
        fc.record(sizes),
        fc.constantFrom('plain' as const, 'colours' as const),
        ({ length, ...room }, style) => {
          const picture = qrCode(['x'.repeat(length)], { style, ...room });
          if (picture === undefined) return;
          // biome-ignore lint/suspicious/noControlCharactersInRegex: codes take no room on the screen
          const seen = picture.replace(/\x1b\[[\d;]*m/g, '');
          assert.ok(widthOf(seen) <= room.columns);
          assert.ok(seen.split('\n').length <= room.rows);
          assert.ok(Buffer.byteLength(picture) <= room.bytes);
        },
      ),
    );
  });

  it('with few rows shortens the text first, then the margin above and below', () => {
    const rowsOf = (texts: readonly string[], rows: number) =>
      qrCode(texts, { style: 'colours', columns: 80, rows })?.split('\n').length;
    assert.equal(rowsOf([long, uri], 60), 23);
    assert.equal(rowsOf([long, uri], 22), 21);
    assert.equal(rowsOf([long], 22), 21);
    assert.equal(rowsOf([uri], 20), 19);
    assert.equal(rowsOf([uri], 18), undefined);
  });

  it('of 40 columns is not enough: the side margins are kept', () => {
    for (const style of ['plain', 'colours'] as const)
      assert.equal(qrCode([uri], { style, columns: 40, rows: 60 }), undefined);
  });
});
