import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printable, printableJson } from '../../../../cli/lib/text.ts';
import { isoLocal, parseSince, withHint } from '../../../../cli/lib/time.ts';

const nasty = 'a\x1b[2J\r\n\tb\x7f\x9b1m\u202ec\u2028\u200d\ud800\u{e0001}';

test('no control sequence is printed', () => {
  const shown = printable(nasty);
  assert.match(shown, /^[\x20-\x7e]+$/);
  assert.ok(shown.startsWith('a\\u{1b}[2J\\u{d}\\u{a}\\u{9}b\\u{7f}\\u{9b}1m\\u{202e}c'));
});

test('letters of other scripts are unchanged', () => {
  for (const name of ['Zoë', 'CORP\\user', '名前', 'user@corp.example']) assert.equal(printable(name), name);
});

test('JSON contains no control sequence either, and the same data', () => {
  const value = { [nasty]: [nasty, 'Zoë 名'] };
  const text = printableJson(value);
  assert.doesNotMatch(text, /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u);
  assert.deepEqual(JSON.parse(text), value);
});

test('times are local, with the offset, and read back as the same moment', () => {
  for (const at of [0, 1_700_000_000_000, 1_720_000_000_000]) {
    const text = isoLocal(at);
    assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$/);
    assert.equal(Date.parse(text), Math.floor(at / 1000) * 1000);
  }
});

test('hints say how far away, in both directions', () => {
  const now = 1_700_000_000_000;
  const hint = (distance: number) => withHint(now + distance, now).replace(/^[^(]*/, '');
  assert.equal(hint(0), '(now)');
  assert.equal(hint(-59_000), '(59 s ago)');
  assert.equal(hint(-60_000), '(1 min ago)');
  assert.equal(hint(-3 * 3_600_000), '(3 h ago)');
  assert.equal(hint(2 * 86_400_000), '(in 2 d)');
});

test('since: a duration or a date, and nothing else', () => {
  const now = 1_700_000_000_000;
  assert.equal(parseSince('90s', now), now - 90_000);
  assert.equal(parseSince('30m', now), now - 1_800_000);
  assert.equal(parseSince('1d', now), now - 86_400_000);
  assert.equal(parseSince('2w', now), now - 14 * 86_400_000);
  assert.equal(parseSince('999999999w', now), 0);
  assert.equal(parseSince('2023-11-01', now), new Date(2023, 10, 1).getTime());
  assert.equal(parseSince('2023-11-01 12:30', now), new Date(2023, 10, 1, 12, 30).getTime());
  assert.equal(parseSince('2023-11-01T12:30:00Z', now), Date.UTC(2023, 10, 1, 12, 30));
  for (const text of ['', '1', 'd', '-1d', '1.5d', 'yesterday', '2023-13-01', '2023-11-01junk', '1d 2h'])
    assert.equal(parseSince(text, now), undefined, text);
});
