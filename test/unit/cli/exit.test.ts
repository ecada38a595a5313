import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runCli } from '../../support/cli-child.ts';
import { type ControlRig, startControl } from '../../support/control-rig.ts';
import { phone } from '../control/records.ts';

/** Every exit status, from a real run. */

let rig: ControlRig;
/** The same without root's privileges, so that this process is an ordinary user. */
let strange: ControlRig;
before(async () => {
  rig = await startControl();
  strange = await startControl({ rootUids: new Set() });
  await rig.store.put('alice', { factors: [phone] });
});
after(async () => {
  await rig.close();
  await strange.close();
});

const ends = async (status: number, words: readonly string[], said: RegExp, input?: string) => {
  const run = await runCli(words, input);
  assert.equal(run.status, status, `${words.join(' ')}: ${run.err}`);
  assert.match(run.err, said, words.join(' '));
  if (status !== 0) assert.equal(run.out, '', words.join(' '));
};
const at = (one: ControlRig, ...words: readonly string[]) => ['--config', one.configFile, ...words];

/** A few at a time: most of a run is Node's own start. */
async function each<T>(cases: readonly T[], run: (one: T) => Promise<void>): Promise<void> {
  for (let first = 0; first < cases.length; first += 4)
    await Promise.all(cases.slice(first, first + 4).map(run));
}

test('0: done', () => ends(0, at(rig, 'status'), /^$/));

test('1: refused', async () => {
  await rig.store.put('bob', {
    factors: [phone, { ...phone, id: 'dddd', name: 'two', secret: Buffer.alloc(20, 1).toString('base64') }],
  });
  await ends(1, at(rig, 'factor', 'rename', 'bob', 'two', 'PHONE'), /^sallyport: .*already; choose/);
});

test('2: usage', async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /Usage: sallyport/],
    [['frobnicate'], /^sallyport: unknown command/],
    [['status', '--colour'], /^sallyport: unknown option/],
    [['user', 'show'], /^sallyport: missing required argument/],
    [['user', 'show', 'a', 'b'], /^sallyport: too many arguments/],
    [['explain', 'alice'], /--service/],
    [['explain', 'alice', '--service', 'sshd', '--from', '10.0.0.999'], /literal/],
    [['audit', '--since', 'yesterday'], /Expected a duration/],
    [['audit', '--limit', '-1'], /whole number/],
    [['factor', 'add', 'totp', 'alice', '--digits', '5'], /6, 7 or 8/],
    [['factor', 'add', 'totp', 'alice', '--period', '14'], /from 15 to 300/],
    [['factor', 'add', 'totp', 'alice', '--algorithm', 'md5'], /sha256/],
    [['factor', 'add', 'hotp', 'alice', '--counter', 'x'], /whole number/],
    [['factor', 'add', 'yubikey', 'alice', '--local'], /--local needs --public-id/],
    [['factor', 'add', 'yubikey', 'alice', '--no-verify'], /require --local/],
    [['factor', 'add', 'yubikey', 'alice'], /no OTP on standard input/],
    [['factor', 'add', 'u2f', 'alice', '--app-id', 'pam://h'], /give either --credential/],
    [['factor', 'add', 'u2f', 'alice', '--credential', 'a,b'], /--app-id/],
    [['factor', 'add', 'u2f', 'alice', '--app-id', 'pam://h', '--credential', 'a,b'], /no credential/],
    [['factor', 'add', 'smart-card', 'alice'], /unknown command/],
    [['factor', 'remove', 'alice', 'phone'], /--yes/],
    [['factor', 'rename', 'alice', 'phone', 'a\nb'], /characters/],
    [['verify', 'alice'], /no code on standard input/],
  ];
  await each(cases, ([words, said]) => ends(2, at(rig, ...words), said));
});

test('3: not found', async () => {
  const cases: readonly (readonly string[])[] = [
    ['user', 'show', 'nobody-there'],
    ['user', 'unlock', '../../etc'],
    ['factor', 'remove', 'alice', 'none', '--yes'],
    ['factor', 'add', 'totp', 'nobody-there'],
    ['realm', 'show', 'none'],
    ['explain', 'nobody-there', '--service', 'sshd'],
  ];
  await each(cases, (words) => ends(3, at(rig, ...words), /^sallyport: .*[;:]/));
});

test('4: the daemon is not reachable', async () => {
  const file = join(rig.directory, 'away.toml');
  writeFileSync(file, `[paths]\ncontrol_socket = "${rig.directory}/none.sock"\n`);
  await ends(4, ['--config', file, 'status'], /^sallyport: sallyportd does not answer on .*; start it with/);
});

test('77: permission denied, before a secret is generated', async () => {
  await ends(77, at(strange, 'status'), /sudo/);
  await ends(77, at(strange, 'factor', 'add', 'totp', 'alice'), /sudo/);
  // A user may read their own factors; changes take a password.
  await ends(
    77,
    at(strange, 'factor', 'add', 'totp', 'root'),
    /Incorrect account name or password/,
    'wrong\n',
  );
  await ends(2, at(strange, 'factor', 'add', 'totp', 'root'), /no answer on standard input/);
  await ends(77, at(strange, 'user', 'unlock', 'root'), /sudo/);
});

test('78: the configuration', async () => {
  await ends(78, ['--config', join(rig.directory, 'none.toml'), 'status'], /cannot read/);
  await ends(78, at(rig, 'factor', 'add', 'webauthn', 'alice'), /names none\. Choose a domain/);
  rig.setConfig('[[realm]]');
  await ends(78, at(rig, 'reload'), /problems.*the previous configuration stays active/s);
});

test('--help and --version are no errors', async () => {
  const [help, version] = await Promise.all([
    runCli(['factor', 'add', 'totp', '--help']),
    runCli(['--version']),
  ]);
  assert.deepEqual([help.status, version.status], [0, 0]);
  assert.match(help.out, /--secret/);
  assert.match(version.out, /^\d+\.\d+\.\d+\n$/);
});
