import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answerFormatOf, endsLikeOtp, tailsOf } from '../../../../daemon/factors/answers/answer-format.ts';
import type { AnswerFormat } from '../../../../daemon/factors/contract.ts';
import { fc } from '../../../support/property.ts';

const six: ReadonlySet<number> = new Set([6]);
const all: ReadonlySet<number> = new Set([6, 7, 8]);
const key = '23456789abcdefghjkmn';
const dashed = '23456-789ab-cdefg-hjkmn';
const otp = 'vvcccccccclbhjtlvfjnlfhlvcdbinrkcgngnkhtgbrr';

const of = (answer: string | Buffer, digits = all): AnswerFormat =>
  answerFormatOf(Buffer.from(answer), digits);

describe('the format of an answer', () => {
  it('is a code only for digits of a length in use', () => {
    assert.deepEqual(of('012345'), { kind: 'code', text: '012345' });
    assert.deepEqual(of('1234567'), { kind: 'code', text: '1234567' });
    assert.deepEqual(of('12345678'), { kind: 'code', text: '12345678' });
    assert.deepEqual(of('1234567', six), { kind: 'none' });
    assert.deepEqual(of('123456', new Set()), { kind: 'none' });
    for (const answer of ['12345', '1234567890', '12345a', '+12345', '-123456', '1e5']) {
      assert.deepEqual(of(answer), { kind: 'none' }, answer);
    }
  });

  it('is a code with spaces around it, and spaces and dashes in its middle', () => {
    const spellings = [
      '123 456',
      '123-456',
      ' 123456',
      '123456\t',
      '  123 456  ',
      '123  456',
      '123--456',
      '123 - 456',
    ];
    for (const answer of spellings) {
      assert.deepEqual(of(answer), { kind: 'code', text: '123456' }, answer);
    }
    assert.deepEqual(of('1234 5678'), { kind: 'code', text: '12345678' });
    assert.deepEqual(of('123-4567'), { kind: 'code', text: '1234567' });
    assert.deepEqual(of('1234-567'), { kind: 'code', text: '1234567' });
    for (const answer of ['12 3456', '1 23456', '12-34-56', '123_456', '123456-', '-123456']) {
      assert.deepEqual(of(answer), { kind: 'none' }, answer);
    }
  });

  it('is a recovery key in any case, with dashes, spaces or none between its groups', () => {
    for (const answer of [key, dashed, key.toUpperCase(), dashed.replaceAll('-', ' '), ` ${dashed}`]) {
      assert.deepEqual(of(answer), { kind: 'recovery', text: key }, answer);
    }
    assert.deepEqual(of('23456-789abcdefg-hjkmn'), { kind: 'recovery', text: key });
    const others = [
      key.slice(1),
      `${key}2`,
      `2345-6789a-bcdef-ghjkmn`,
      `${dashed}-`,
      key.replace('a', 'l'),
      key.replace('2', '0'),
    ];
    for (const answer of others) assert.deepEqual(of(answer), { kind: 'none' }, answer);
  });

  it('is a key of a legacy set for 16 hex digits, with its dashes', () => {
    for (const answer of ['0123-4567-89ab-cdef', '0123456789ABCDEF', '0123 4567 89ab cdef'])
      assert.deepEqual(of(answer), { kind: 'legacy-recovery', text: '0123-4567-89ab-cdef' }, answer);
    for (const answer of ['0123-4567-89ab-cde', '0123-4567-89ab-cdefa', '012-34567-89ab-cdef'])
      assert.deepEqual(of(answer), { kind: 'none' }, answer);
  });

  it('is a bypass code for nine digits, by threes or not', () => {
    for (const answer of [
      '123456789',
      '123 456 789',
      '123-456-789',
      ' 123456789',
      '123456 789',
      '123  456 789',
    ])
      assert.deepEqual(of(answer), { kind: 'bypass', text: '123456789' }, answer);
    for (const answer of ['12 3456789', '1234 56789', '123456789-', '12345678a'])
      assert.deepEqual(of(answer), { kind: 'none' }, answer);
  });

  it('is a YubiKey OTP for 32 to 48 modhex characters in any case', () => {
    assert.deepEqual(of(otp), { kind: 'yubikey', text: otp });
    assert.deepEqual(of(otp.toUpperCase()), { kind: 'yubikey', text: otp });
    assert.equal(of('c'.repeat(31)).kind, 'none');
    assert.equal(of('c'.repeat(32)).kind, 'yubikey');
    assert.equal(of('c'.repeat(48)).kind, 'yubikey');
    assert.equal(of('c'.repeat(49)).kind, 'none');
    assert.equal(of(`${'c'.repeat(31)}a`).kind, 'none');
  });

  it('is enter for nothing at all, spaces, line ends and invisible characters', () => {
    for (const answer of ['', '   ', '\r', '\n', '\r\n', '\t', '\u00a0', '\u200b', '\ufeff'])
      assert.deepEqual(of(answer), { kind: 'enter' }, JSON.stringify(answer));
  });

  it('is recognised in every spelling that users type', () => {
    const codes = [
      '123456\r',
      '123456\n',
      '123456\r\n',
      '123\u00a0456',
      '123\u202f456',
      '123\u3000456',
      '123\u2013456',
      '123\u2212456',
      '123\u30fc456',
      '１２３４５６',
      '１２３　４５６',
      '12345６',
      '١٢٣٤٥٦',
      '१२३४५६',
      '𝟏𝟐𝟑𝟒𝟓𝟔',
      '\ufeff123456',
      '\u200b123456\u200b',
      '\u202a123456\u202c',
      '123\u00ad456',
      '\x1b[200~123456\x1b[201~',
      '\x1b[200~123 456\n\x1b[201~',
    ];
    for (const answer of codes)
      assert.deepEqual(of(answer), { kind: 'code', text: '123456' }, JSON.stringify(answer));
    const keys = [
      dashed.replaceAll('-', '\u2013'),
      dashed.replaceAll('-', ' \u2014 '),
      `${dashed}\r`,
      `\u2068${dashed}\u2069`,
      dashed.replace(/[a-z]/g, (letter) => String.fromCodePoint(letter.charCodeAt(0) + 0xff41 - 0x61)),
    ];
    for (const answer of keys)
      assert.deepEqual(of(answer), { kind: 'recovery', text: key }, JSON.stringify(answer));
    assert.deepEqual(of('0123\u20104567\u201089ab\u2010cdef\r'), {
      kind: 'legacy-recovery',
      text: '0123-4567-89ab-cdef',
    });
    assert.deepEqual(of('１２３　４５６　７８９'), { kind: 'bypass', text: '123456789' });
    assert.deepEqual(of(`${otp}\r\n`), { kind: 'yubikey', text: otp });
    assert.deepEqual(of('ｃ'.repeat(32)), { kind: 'yubikey', text: 'c'.repeat(32) });
  });

  it('is unknown for control bytes, letters of other scripts, or bytes that are not text', () => {
    const others = [
      '123456\0',
      '\0',
      '123\x00456',
      '123456\x1b[A',
      '123456\x7f',
      '12345²',
      '12345①',
      '12345六',
    ];
    for (const answer of others) assert.deepEqual(of(answer), { kind: 'none' }, JSON.stringify(answer));
    // Each would be a digit if only its low seven bits counted.
    assert.deepEqual(of(Buffer.from('123456').map((byte) => byte | 0x80) as Buffer), { kind: 'none' });
    // A digit in more bytes than it needs, and one whose last byte is missing.
    assert.deepEqual(of(Buffer.from([...Buffer.from('12345'), 0xc0, 0xb6])), { kind: 'none' });
    assert.deepEqual(of(Buffer.from('12345６').subarray(0, -1)), { kind: 'none' });
  });

  it('is unknown for random bytes, except valid formats, and the bytes stay unchanged', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const answer = Buffer.from(bytes);
        const shape = answerFormatOf(answer, all);
        assert.deepEqual(answer, Buffer.from(bytes));
        if ('text' in shape) assert.match(shape.text, /^[0-9a-z]+$/);
      }),
    );
  });
});

describe('possible ends of a password with a code', () => {
  const tails = (answer: string | Buffer, digits: ReadonlySet<number>, recovery: boolean) =>
    tailsOf(Buffer.from(answer), {
      digits,
      fixed: new Set(recovery ? ['recovery'] : []),
      otps: new Set(),
    }).map(({ format, length }) => [format.kind, 'text' in format ? format.text : '', length]);

  it('are tried longest first, only for the factors of the account', () => {
    assert.deepEqual(tails('secret12345678', all, true), [
      ['code', '12345678', 8],
      ['code', '2345678', 7],
      ['code', '345678', 6],
    ]);
    assert.deepEqual(tails('secret12345678', six, true), [['code', '345678', 6]]);
    assert.deepEqual(tails('secret12345678', new Set(), true), []);
  });

  it('can be a recovery key with or without dashes, and also a code', () => {
    assert.deepEqual(tails(`secret${dashed}`, six, true), [['recovery', key, 23]]);
    assert.deepEqual(tails(`secret${key.toUpperCase()}`, six, true), [['recovery', key, 20]]);
    assert.deepEqual(tails(`secret${dashed}`, six, false), []);
    assert.deepEqual(tails('abcdefghjkmnpq234567', six, true), [
      ['recovery', 'abcdefghjkmnpq234567', 20],
      ['code', '234567', 6],
    ]);
  });

  it('can be a bypass code or a legacy key if the account has one, longest first', () => {
    const fixed = new Set(['legacy-recovery', 'bypass'] as const);
    const found = (answer: string) =>
      tailsOf(Buffer.from(answer), { digits: six, fixed, otps: new Set() }).map(({ format, length }) => [
        format.kind,
        length,
      ]);
    assert.deepEqual(found('secret123 456 789'), [
      ['bypass', 11],
      ['code', 8],
    ]);
    assert.deepEqual(found('secret123456789'), [
      ['bypass', 9],
      ['code', 6],
    ]);
    assert.deepEqual(found('secret0123-4567-89ab-cdef'), [['legacy-recovery', 19]]);
    assert.deepEqual(found('secret89abcdef00000000'), [
      ['legacy-recovery', 16],
      ['code', 6],
    ]);
    assert.deepEqual(tails('secret123456789', six, true), [['code', '456789', 6]]);
  });

  it('leave any remainder before them, empty and non-text ones too', () => {
    assert.deepEqual(tails('123456', all, true), [['code', '123456', 6]]);
    assert.deepEqual(tails(dashed, six, true), [['recovery', key, 23]]);
    assert.deepEqual(tails(Buffer.concat([Buffer.from([0xff, 0, 0xc3]), Buffer.from('123456')]), six, true), [
      ['code', '123456', 6],
    ]);
  });

  it('do not count spaces around and in the code as part of the password', () => {
    const expected: Readonly<Record<string, readonly [string, number]>> = {
      'secret 123456': ['123456', 7],
      'secret123 456': ['123456', 7],
      'secret 123 456 ': ['123456', 9],
      'secret123456 ': ['123456', 7],
      'secret123456\r\n': ['123456', 8],
      'secret\u00a0123\u2013456': ['123456', 11],
      'secret\x1b[200~123456\x1b[201~': ['123456', 18],
      // The second space, dashes and everything else before the code belong to the password.
      'secret  123456': ['123456', 7],
      'secret-123456': ['123456', 6],
      'secret\u200b123456': ['123456', 6],
      'secret\u2028': ['', 0],
      // A password of only spaces is allowed.
      ' 123456': ['123456', 6],
      '  123456': ['123456', 6],
    };
    for (const [answer, [text, length]] of Object.entries(expected))
      assert.deepEqual(tails(answer, six, true), length === 0 ? [] : [['code', text, length]], answer);
    assert.deepEqual(tails(`secret ${dashed}\r`, six, true), [['recovery', key, 25]]);
    const otps = new Set([otp.slice(0, 12)]);
    const found = tailsOf(Buffer.from(`secret ${otp}\n`), { digits: six, fixed: new Set(), otps });
    assert.deepEqual(found, [{ format: { kind: 'yubikey', text: otp }, length: 46 }]);
    assert.ok(endsLikeOtp(Buffer.from(`secret ${otp}\n`)));
  });

  it('can be a code of seven digits by either half', () => {
    const seven = new Set([7]);
    for (const answer of ['secret123 4567', 'secret1234 567'])
      assert.deepEqual(tails(answer, seven, false), [['code', '1234567', 8]], answer);
    assert.deepEqual(tails('secret1234567', seven, false), [['code', '1234567', 7]]);
  });

  it('do not exist for short, blank and other answers', () => {
    for (const answer of [
      '',
      '   ',
      '12345',
      'secret',
      'secret12 3456',
      'secret12345é',
      'secret123\u0000456',
    ]) {
      assert.deepEqual(tails(answer, all, true), [], answer);
    }
  });

  it('are always within the answer', () => {
    const symbol = fc.constantFrom(...'0123456789abc-');
    fc.assert(
      fc.property(fc.array(symbol, { maxLength: 30 }), (symbols) => {
        const answer = Buffer.from(symbols.join(''));
        const found = tailsOf(answer, {
          digits: all,
          fixed: new Set(['recovery', 'legacy-recovery', 'bypass']),
          otps: new Set(['vvcccccccclb', 'cc']),
        });
        const lengths = found.map((tail) => tail.length);
        assert.deepEqual(
          lengths,
          lengths.toSorted((a, b) => b - a),
        );
        for (const { format, length } of found) {
          const end = answer.subarray(answer.length - length).toString();
          assert.equal('text' in format && format.text, end.replaceAll('-', ''));
        }
      }),
    );
  });
});
