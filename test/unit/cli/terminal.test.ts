import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { cliMain } from '../../support/cli-child.ts';
import { totp } from '../../support/codes.ts';
import { type ControlRig, startControl } from '../../support/control-rig.ts';
import { Terminal } from '../../support/rig/terminal.ts';
import { paper, phone, seed } from '../control/records.ts';

/** The same commands on a terminal: they prompt, hide secrets, and may use colour. */

let rig: ControlRig;
before(async () => {
  rig = await startControl();
});
after(() => rig.close());

const at = (words: readonly string[], environment: NodeJS.ProcessEnv = {}) =>
  new Terminal([process.execPath, cliMain, '--config', rig.configFile, ...words], {
    TERM: 'xterm-256color',
    NO_COLOR: '',
    LC_ALL: 'C.UTF-8',
    ...environment,
  });

test('a secret is prompted for without echo, a code with; a wrong one is asked for again', async () => {
  const terminal = at(['factor', 'add', 'totp', 'alice', '--secret', '-']);
  await terminal.answer(/Secret \(Base32 or otpauth:\/\/ URI\): /, 'gezdgnbvgy3tqojqgezdgnbvgy3tqojq');
  await terminal.answer(/Code that the device shows now: /, '000001');
  await terminal.expect(/Try again/);
  await terminal.answer(/Code that the device shows now: /, totp(seed));
  assert.equal(await terminal.ended(), 0);
  assert.ok(!terminal.transcript.includes('gezdgnbv'), 'what was typed is not shown');
  assert.ok(terminal.transcript.includes('\x1b[30;47;107m'), 'the code has its colours');
});

test('three wrong codes end the command', async () => {
  const terminal = at(['factor', 'add', 'totp', 'bob']);
  for (const code of ['000001', '000002', '000003']) await terminal.answer(/shows now: /, code);
  assert.equal(await terminal.ended(), 1);
  assert.equal(await rig.store.get('bob'), undefined);
});

test('removal is confirmed: no is no, yes is yes, ^C is no', async () => {
  await rig.store.put('alice', { factors: [phone, paper] });
  const no = at(['factor', 'remove', 'alice', 'paper']);
  await no.answer(/permanently\? \[y\/N\] /, '');
  assert.equal(await no.ended(), 1);
  const interrupted = at(['factor', 'remove', 'alice', 'paper']);
  await interrupted.expect(/\[y\/N\] /);
  interrupted.send('\x03');
  assert.equal(await interrupted.ended(), 1);
  assert.equal((await rig.store.get('alice'))?.factors.length, 2);
  const yes = at(['factor', 'remove', 'alice', 'paper']);
  await yes.answer(/\[y\/N\] /, 'yes');
  assert.equal(await yes.ended(), 0);
  assert.equal((await rig.store.get('alice'))?.factors.length, 1);
});

test('an import shows its progress on a terminal; an export asks first', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-terminal-'));
  const file = join(directory, 'users.oath');
  writeFileSync(file, `HOTP bob - ${Buffer.from('a seed of 20 bytes..').toString('hex')}\n`, { mode: 0o600 });
  const importing = at(['import', 'oath', file, '--dry-run']);
  assert.equal(await importing.ended(), 0);
  assert.match(importing.transcript, /\[#{30}\] 1 of 1 accounts/);
  assert.match(importing.transcript, /bob {2}hotp "OATH" {2}added/);
  const words = ['export', 'alice', '--format', 'otpauth', '-o', join(directory, 'out')];
  await rig.store.put('alice', { factors: [phone] });
  const no = at(words);
  await no.answer(/can generate their codes\. Continue\? \[y\/N\] /, 'n');
  assert.equal(await no.ended(), 1);
  assert.equal(existsSync(join(directory, 'out')), false);
  const yes = at(words);
  await yes.answer(/\[y\/N\] /, 'y');
  assert.equal(await yes.ended(), 0);
  assert.match(readFileSync(join(directory, 'out'), 'utf8'), /^otpauth:/);
  assert.ok(!yes.transcript.includes('otpauth'));
  rmSync(directory, { recursive: true });
});

test('tables have a heading and colour, and no colour if NO_COLOR or a dumb terminal says so', async () => {
  await rig.store.put('alice', { factors: [phone] });
  const seen = async (environment: NodeJS.ProcessEnv) => {
    const terminal = at(['factor', 'list', 'alice'], environment);
    assert.equal(await terminal.ended(), 0);
    assert.match(terminal.transcript, /ID +KIND +NAME/);
    return terminal.transcript.includes('\x1b[');
  };
  assert.equal(await seen({}), true);
  assert.equal(await seen({ NO_COLOR: '1' }), false);
  assert.equal(await seen({ TERM: 'dumb' }), false);
});
