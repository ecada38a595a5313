import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { typedUnder } from '../../../../daemon/factors/answers/layouts.ts';

const otp = 'vvcccccccclbhjtlvfjnlfhlvcdbinrkcgngnkhtgbrr';
const dvorak = 'kkjjjjjjjjnxdhynkuhbnudnkjexcbptjibibtdyixpp';
/** With one Latin letter among them. */
const russian = `${'сивуапршолдткегм'.repeat(2)}c`;

describe('an OTP typed with another keyboard layout', () => {
  it('is found with Dvorak, in any case and with a line end', () => {
    for (const typed of [dvorak, dvorak.toUpperCase(), ` ${dvorak}\r`])
      assert.deepEqual(typedUnder(Buffer.from(typed)), [{ layout: 'Dvorak', otp }]);
  });

  it('is found with each known layout, and only with that one', () => {
    const modhex = 'cbdefghijklnrtuv';
    for (const [layout, typed] of [
      ['Colemak', 'cbsftdhuneikpglv'],
      ['Turkish Q', 'cbdefghıjklnrtuv'],
      ['Russian', 'сивуапршолдткегм'],
      ['Greek', 'ψβδεφγηιξκλνρτθω'],
      ['Hebrew', 'בנגקכעיןחלךמראוה'],
    ] as const)
      assert.deepEqual(typedUnder(Buffer.from(typed.repeat(2))), [{ layout, otp: modhex.repeat(2) }]);
  });

  it('is not found if too short, too long, mixed, or a password', () => {
    for (const typed of [
      '',
      dvorak.slice(0, 31),
      `${dvorak}jjjjj`,
      `${dvorak.slice(1)}z`,
      russian,
      'correct horse',
    ])
      assert.deepEqual(typedUnder(Buffer.from(typed)), [], typed);
  });
});
