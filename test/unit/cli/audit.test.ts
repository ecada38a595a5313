import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { cliMain, runCli } from '../../support/cli-child.ts';
import { type ControlRig, startControl } from '../../support/control-rig.ts';
import { Terminal } from '../../support/rig/terminal.ts';

/** An audit trail of some length, in a pipe and on a terminal. */
const count = 25_000;
let rig: ControlRig;
before(async () => {
  rig = await startControl();
  const events = Array.from({ length: count }, (_, index) => ({
    kind: 'login' as const,
    outcome: index % 2 === 0 ? ('success' as const) : ('refused' as const),
    at: Date.now() - 60_000 + index,
    account: index % 1_000 === 0 ? 'rare' : 'common',
    reason: index % 2 === 0 ? 'verified' : 'wrong',
    source: '192.0.2.7',
  }));
  await rig.store.commit({ accounts: [], events });
});
after(() => rig.close());

const cli = (...words: string[]) => runCli(['--config', rig.configFile, 'audit', ...words]);
const connectionLimitOf = (lines: readonly string[]) => lines.map((line) => Number(line.split('\t')[1]));
const rising = (list: readonly number[]) =>
  list.every((place, at) => at === 0 || place > (list[at - 1] ?? 0));

test('all events, oldest first, each once, however many there are', async () => {
  const places = connectionLimitOf((await cli('--all')).lines);
  assert.equal(places.length, count);
  assert.ok(rising(places));
  const refused = connectionLimitOf((await cli('--all', '--outcome', 'refused')).lines);
  assert.equal(refused.length, count / 2);
  assert.ok(rising(refused));
  const last = connectionLimitOf((await cli('--limit', '11000', '--outcome', 'refused')).lines);
  assert.deepEqual(last, refused.slice(-11_000));
});

test('rare events are found wherever they are, and missing ones are not', async () => {
  const none = await cli('--source', '10.0.0.0/8');
  assert.deepEqual([none.status, none.out, none.err], [0, '', '']);
  assert.deepEqual(connectionLimitOf((await cli('--since', '1h', '--until', '0s', '--limit', '1')).lines), [
    count,
  ]);
  assert.equal((await cli('--limit', '3')).lines.length, 3);
  assert.equal((await cli('--limit', '0')).lines.length, 0);
});

const at = (columns: number, ...words: string[]) =>
  new Terminal(
    [
      ...['sh', '-c', `stty cols ${columns} rows 24; exec "$@"`, 'sh'],
      ...[process.execPath, cliMain, '--config', rig.configFile, 'audit', ...words],
    ],
    { TERM: 'xterm', NO_COLOR: '1' },
  );

test('on a terminal it is a table, the newest last', async () => {
  const terminal = at(100, '--limit', '2');
  assert.equal(await terminal.ended(), 0);
  const lines = terminal.transcript.trim().split(/\r?\n/);
  assert.equal(lines.length, 3);
  assert.match(lines[0] ?? '', /^TIME +ACCOUNT +KIND +REASON +REALM +SERVICE +FROM +FACTOR +ACTOR$/);
  assert.match(lines[2] ?? '', / common +login refused +wrong +- +- +192\.0\.2\.7 +- +-$/);
  const column = (line: string | undefined, word: string) => (line ?? '').indexOf(word);
  assert.equal(column(lines[0], 'KIND'), column(lines[2], 'login refused'));
});

test('on a terminal of the usual width no line is longer, on a narrow one events are blocks', async () => {
  for (const columns of [80, 40]) {
    const terminal = at(columns, '--limit', '2');
    assert.equal(await terminal.ended(), 0);
    const lines = terminal.transcript.trim().split(/\r?\n/);
    assert.ok(
      lines.every((line) => line.length <= columns),
      terminal.transcript,
    );
    assert.equal(lines.filter((line) => line.startsWith('TIME: ')).length, columns === 40 ? 2 : 0);
  }
});

test('a search without a result shows its progress, and removes that line', async () => {
  const terminal = at(80, '--source', '10.0.0.0/8');
  assert.equal(await terminal.ended(), 0);
  assert.match(terminal.transcript, /0 found, searching before event \d+/);
  assert.ok(terminal.transcript.endsWith('\r\x1b[K'), JSON.stringify(terminal.transcript.slice(-60)));
});
