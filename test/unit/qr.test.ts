import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from 'uqr';
import { qrCode } from '../../daemon/qr.ts';

const uri =
  'otpauth://totp/Host:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Host&algorithm=SHA1&digits=6&period=30';
const quiet = 4;

/** What is white on the terminal, module by module, read back from the drawing. */
function readBack(drawing: string): boolean[][] {
  const rows: boolean[][] = [];
  for (const line of drawing.split('\n')) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours are what is looked for
    const blocks = [...line.replace(/\x1b\[[\d;]*m/g, '')];
    rows.push(blocks.map((block) => block === '█' || block === '▀'));
    rows.push(blocks.map((block) => block === '█' || block === '▄'));
  }
  return rows;
}

test('the drawing is the code, with a quiet zone of four modules on each side', () => {
  const { data, size } = encode(uri, { ecc: 'L', border: 0 });
  const side = size + 2 * quiet;
  const drawing = qrCode(uri, { colour: false, columns: side });
  assert.ok(drawing !== undefined);
  const rows = readBack(drawing);
  for (let row = 0; row < side; row += 1)
    for (let column = 0; column < side; column += 1) {
      const black = data[row - quiet]?.[column - quiet] === true;
      assert.equal(rows[row]?.[column], !black, `${row},${column}`);
    }
});

test('with colour both black and white are said, on every line', () => {
  const drawing = qrCode(uri, { colour: true, columns: 100 });
  for (const line of drawing?.split('\n') ?? []) {
    assert.ok(line.startsWith('\x1b[97;40m'));
    assert.ok(line.endsWith('\x1b[0m'));
  }
});

test('a terminal that is too narrow gets none rather than a broken one', () => {
  const side = encode(uri, { ecc: 'L', border: 0 }).size + 2 * quiet;
  assert.notEqual(qrCode(uri, { colour: false, columns: side }), undefined);
  assert.equal(qrCode(uri, { colour: false, columns: side - 1 }), undefined);
});
