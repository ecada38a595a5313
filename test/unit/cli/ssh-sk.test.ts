import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { callAs } from '../../support/call-as.ts';
import { runCli } from '../../support/cli-child.ts';
import { type ControlRig, startControl, uids } from '../../support/control-rig.ts';
import { pubLine, publicKey } from '../../support/ssh-keys.ts';
import { phone } from '../control/records.ts';

/** `factor add ssh-sk` and `explain --ssh-key` as real processes, against a real control socket. */

const config = `
[[realm]]
name = "keys"
members = { users = ["alice"] }
require = "any"
  [[realm.rule]]
  services = ["sshd"]
  from = ["10.0.0.0/8"]
  action = { accept = "ssh-sk" }

[[realm]]
name = "yubikeys"
members = { users = ["carol"] }
require = "yubikey"

[[realm]]
name = "others"
require = "totp"
`;

let rig: ControlRig;
before(async () => {
  rig = await startControl({ config });
});
after(() => rig.close());

const cli = (words: readonly string[], input?: string) =>
  runCli(['--config', rig.configFile, ...words], input);
const file = (name: string, text: string): string => {
  const path = join(rig.directory, name);
  writeFileSync(path, text);
  return path;
};
const add = (user: string, key: string, input?: string, ...more: readonly string[]) =>
  cli(['factor', 'add', 'ssh-sk', user, '--key', key, ...more], input);
const factorsOf = async (user: string) => (await rig.store.get(user))?.factors ?? [];

describe('factor add ssh-sk', () => {
  test('accepts a .pub file, and needs no code', async () => {
    const done = await add('alice', file('blue.pub', `${pubLine('blue')}\n`), undefined, '--name', 'blue');
    assert.deepEqual([done.status, done.out], [0, ''], done.err);
    assert.match(done.err, /alice has a new factor: ssh-sk "blue" \([0-9a-f]+\), sk-ssh-ed25519.*, SHA256:/);
    assert.doesNotMatch(done.err, /warning/);
    const [factor] = await factorsOf('alice');
    assert.ok(factor?.kind === 'ssh-sk' && factor.publicKey === publicKey('blue'));
    const list = await cli(['factor', 'list', 'alice']);
    assert.match(list.out, /\tssh-sk\tblue\tenabled\t.*\t-\tsk-ssh-ed25519@openssh\.com, SHA256:/);
  });

  test('accepts standard input', async () => {
    assert.equal((await add('alice', '-', `${pubLine('red')}\n`)).status, 0);
    assert.equal((await factorsOf('alice')).length, 2);
  });

  test('reports what is wrong with its input, and adds nothing', async () => {
    const tries: [string, number, RegExp, string?][] = [
      [file('empty.pub', ''), 2, /there is no key/],
      [file('two.pub', `${pubLine('x')}\n${pubLine('y')}\n`), 2, /2 lines/],
      [file('private', '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE\n'), 2, /private key/],
      [file('rsa.pub', 'ssh-rsa AAAAB3NzaC1yc2E a@b'), 2, /cannot be a second factor/],
      [file('authorized_keys', `no-touch-required ${pubLine('x')}\n`), 2, /options before.*\.pub/],
      ['-', 2, /2 lines/, `${pubLine('x')}\n${pubLine('y')}\n`],
      ['-', 2, /there is no key/, ''],
      [join(rig.directory, 'none.pub'), 2, /cannot read the file of --key.*name a \.pub file/],
      ['/dev/zero', 2, /too long/],
      [join(rig.directory, 'blue.pub'), 2, /"blue" of this account is the same key/],
    ];
    const before = await factorsOf('alice');
    for (const [key, status, says, input] of tries) {
      const done = await add('alice', key, input);
      assert.equal(done.status, status, done.err);
      assert.match(done.err, says);
      assert.ok(!done.err.includes('b3BlbnNz') && !rig.logged.join().includes('b3BlbnNz'));
    }
    assert.deepEqual(await factorsOf('alice'), before);
    assert.equal((await cli(['factor', 'add', 'ssh-sk', 'alice'])).status, 2);
    assert.equal((await add('nobody-here', join(rig.directory, 'blue.pub'))).status, 3);
  });

  test('warns if no rule accepts it, and is refused if only YubiKeys are accepted', async () => {
    const idle = await add('bob', join(rig.directory, 'blue.pub'));
    assert.equal(idle.status, 0);
    assert.match(
      idle.err,
      /warning: no rule of the realm "others" accepts ssh-sk.*\[\[realm\.rule\]\] services = \["sshd"\] action = \{ accept = "ssh-sk" \}, and add "webauthn"/,
    );
    const refused = await add('carol', join(rig.directory, 'blue.pub'));
    assert.equal(refused.status, 1);
    assert.match(refused.err, /requires a YubiKey OTP and takes no ssh-sk/);
  });

  test('is a change like any other on the socket: without a token only for root', async () => {
    const body = { kind: 'ssh-sk', publicKey: pubLine('mine'), verify: true };
    const request = { method: 'POST', path: '/v1/users/alice/factors', body: JSON.stringify(body) };
    const [own] = await callAs(uids.alice, rig.socket, [request]);
    assert.equal(own?.body.error?.code, 'token-needed');
    const [other] = await callAs(uids.carol, rig.socket, [request]);
    assert.equal(other?.body.error?.code, 'not-permitted');
  });
});

describe('factor disable', () => {
  test('asks before only ssh keys are left', async () => {
    const { factors } = (await rig.store.get('alice')) ?? { factors: [] };
    await rig.store.put('alice', { factors: [phone, ...factors] });
    const asked = await cli(['factor', 'disable', 'alice', 'phone']);
    assert.equal(asked.status, 2);
    assert.match(asked.err, /--yes/);
    const done = await cli(['factor', 'disable', 'alice', 'SSH key']);
    assert.equal(done.status, 0);
    assert.doesNotMatch(done.err, /warning/);
    const last = await cli(['factor', 'disable', 'alice', 'phone', '--yes']);
    assert.match(last.err, /warning: .*refused/);
    await rig.store.put('alice', { factors });
  });
});

describe('explain', () => {
  const explain = (from: string, ...more: readonly string[]) =>
    cli(['explain', 'alice', '--service', 'sshd', '--from', from, ...more]);

  test('--ssh-key: the decision for a login with that key', async () => {
    const [known, unknown, outside, none] = await Promise.all([
      explain('10.1.2.3', '--ssh-key', join(rig.directory, 'blue.pub')),
      explain('10.1.2.3', '--ssh-key', file('green.pub', pubLine('green'))),
      explain('192.0.2.1', '--ssh-key', join(rig.directory, 'blue.pub'), '--json'),
      explain('10.1.2.3'),
    ]);
    assert.match(known.out, /login +sshd from 10\.1\.2\.3, with the security key "blue"/);
    assert.match(known.out, /rule +accept ssh-sk for sshd from 10\.0\.0\.0\/8 \(.*:6\)/);
    assert.match(known.out, /decision +nothing is asked: .*sshd has verified the security key ssh-sk "blue"/);
    assert.match(known.out, /decided by +.*:6/);
    assert.match(unknown.out, /not enrolled.*decision +refused \(no-factor\)/s);
    assert.equal(JSON.parse(outside.out).decision, 'refused');
    assert.match(none.out, /decision +refused \(no-factor\)/);
  });

  test('rejects a key for another service, and an invalid one', async () => {
    const key = join(rig.directory, 'blue.pub');
    const sudo = await cli(['explain', 'alice', '--service', 'sudo', '--ssh-key', key]);
    assert.equal(sudo.status, 2);
    assert.match(sudo.err, /only sshd verifies/);
    const rsa = await explain('10.1.2.3', '--ssh-key', join(rig.directory, 'rsa.pub'));
    assert.equal(rsa.status, 2);
  });

  test('realm show names the rule', async () => {
    const shown = await cli(['realm', 'show', 'keys']);
    assert.ok(shown.lines.includes('rule\tline 6: accept ssh-sk (services sshd, from 10.0.0.0/8)'));
  });
});
