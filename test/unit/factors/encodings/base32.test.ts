import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeBase32, encodeBase32 } from '../../../../daemon/factors/encodings/base32.ts';
import { checkSeed } from '../../../../daemon/factors/seed.ts';
import { SallyportError } from '../../../../daemon/lib/errors.ts';
import { fc } from '../../../support/property.ts';
import { anyText } from '../contract.ts';

const messageFor = (text: string): string => {
  try {
    decodeBase32(text);
  } catch (error) {
    assert.ok(error instanceof SallyportError);
    assert.equal(error.code, 'bad-secret');
    return error.message;
  }
  return assert.fail(`${text} was taken`);
};

/** RFC 4648, section 6, written bit by bit. */
function spelledBitByBit(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{1,5}/g) ?? [])
    .map((five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.charAt(Number.parseInt(five.padEnd(5, '0'), 2)))
    .join('');
}

describe('Base32', () => {
  it('is that of RFC 4648, section 10, without padding', () => {
    const vectors = {
      f: 'MY',
      fo: 'MZXQ',
      foo: 'MZXW6',
      foob: 'MZXW6YQ',
      fooba: 'MZXW6YTB',
      foobar: 'MZXW6YTBOI',
    };
    for (const [clear, encoded] of Object.entries(vectors)) {
      assert.equal(encodeBase32(Buffer.from(clear)), encoded);
      assert.deepEqual(decodeBase32(encoded), Buffer.from(clear));
      assert.deepEqual(
        decodeBase32(encoded.padEnd(8 * Math.ceil(encoded.length / 8), '=')),
        Buffer.from(clear),
      );
    }
    assert.equal(encodeBase32(Buffer.alloc(0)), '');
  });

  it('agrees with another implementation in both directions', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 80 }), (bytes) => {
        const encoded = encodeBase32(Buffer.from(bytes));
        assert.equal(encoded, spelledBitByBit(bytes));
        assert.deepEqual(decodeBase32(encoded), Buffer.from(bytes));
      }),
    );
  });

  it('accepts a secret as users type it', () => {
    const expected = Buffer.from('Hello!\xde\xad\xbe\xef', 'latin1');
    const written = [
      'JBSWY3DPEHPK3PXP',
      'jbswy3dpehpk3pxp',
      'jbsw y3dp ehpk 3pxp',
      'JBSW-Y3DP-EHPK-3PXP',
      ' JBSWY3DPEHPK3PXP=\n',
    ];
    for (const text of written) assert.deepEqual(decodeBase32(text), expected, text);
  });

  it('drops bits beyond the last whole byte, as apps do', () => {
    assert.deepEqual(decodeBase32('MZ'), Buffer.from('f'));
  });

  it('names the position of an invalid character, and never the secret', () => {
    const faults = { JBSW1Y3D: 5, '0BSW': 1, 'JBSW Y3!P': 8, 'JB=SWY3D': 3, JBSWı: 5, JBſW: 3, 'JBSW😀': 5 };
    for (const [text, position] of Object.entries(faults)) {
      const message = messageFor(text);
      assert.match(message, new RegExp(`^character ${position} of`), text);
      assert.ok(!message.includes(text.slice(0, 4)), message);
    }
  });

  it('rejects input that ends within a byte, and empty input', () => {
    for (const text of ['J', 'JBS', 'JBSWY3', 'JBSWY3DPE'])
      assert.match(messageFor(text), /middle of a byte/);
    for (const text of ['', ' ', '====', '--']) assert.match(messageFor(text), /empty/);
  });

  it('never throws anything else', () => {
    fc.assert(
      fc.property(anyText(0, 40), (text) => {
        try {
          decodeBase32(text);
        } catch (error) {
          assert.ok(error instanceof SallyportError);
        }
      }),
    );
  });

  it('needs no more time for a long run of spaces than for a short one', () => {
    assert.match(messageFor(`${' '.repeat(200_000)}!`), /^character 200001 /);
  });
});

describe('a seed', () => {
  it('has 10 to 64 bytes', () => {
    for (const length of [10, 20, 64]) checkSeed(Buffer.alloc(length));
    for (const length of [0, 9, 65]) {
      assert.throws(() => checkSeed(Buffer.alloc(length)), { code: 'bad-secret', message: /10 to 64/ });
    }
  });
});
