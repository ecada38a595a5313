import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { hotp } from '../support/codes.ts';
import { must, until } from '../support/rig/commands.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { password } from '../support/rig/people.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { makeSshKeys, ssh, startSshd } from '../support/rig/ssh.ts';
import { useSnippet } from '../support/rig/stack.ts';
import { Terminal } from '../support/rig/terminal.ts';

/** A name is not a person: userdel, useradd, usermod and groupmod, and a real sshd. */
const realms = `
[[realm]]
name = "staff"
members = { uids = ["3400-3499"] }
require = "any"

[[realm]]
name = "rest"
require = "none"
`;
const port = 2251;

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);
  useSnippet('sshd', 'sallyport-sshd');
  makeSshKeys();
  await startSshd(port, 'sallyport-password-code.conf');
  const connect = (user: string): Terminal => new Terminal(ssh(user, { port }, ['echo "in-$(id -u)"']));
  const hash = must('perl', ['-e', `print crypt($ARGV[0], '$6$rounds=1000$sallyport$')`, password]).trim();
  const useradd = (name: string, uid: number) => {
    appendFileSync('/etc/group', `g${uid}:x:${uid}:\n`);
    must('useradd', ['-M', '-N', '-g', String(uid), '-u', String(uid), '-s', '/bin/bash', '-p', hash, name]);
  };
  const isLetIn = async (user: string, uid: number, code: string) => {
    const terminal = connect(user);
    await terminal.answer(/Password: /, password);
    await terminal.answer(/code: /, code);
    await terminal.expect(new RegExp(`in-${uid}`));
    assert.equal(await terminal.ended(), 0);
    // The client ends before its session does, and usermod refuses to change a uid with processes.
    await until('its processes have ended', () => spawnSync('pgrep', ['-u', String(uid)]).status === 1);
  };
  const isRefused = async (user: string, reason: string) => {
    const terminal = connect(user);
    for (let tries = 0; tries < 3; tries += 1) await terminal.answer(/Password: /, password);
    assert.equal(await terminal.ended(), 255);
    const last = (await product.events(user)).at(-1);
    assert.deepEqual([last?.outcome, last?.reason], ['refused', reason]);
    return terminal.transcript;
  };
  let secret: Buffer;

  scenario(product, 'another uid under the name of an account is refused, and stays refused', async () => {
    useradd('js', 3401);
    secret = await product.addHotp('js');
    await isLetIn('js', 3401, hotp(secret, 0));
    must('userdel', ['js']);
    useradd('js', 3402);
    assert.match(await isRefused('js', 'uid-changed'), /added for another uid/);
    const explained = await product.must(['explain', 'js', '--service', 'sshd']);
    assert.match(explained, /refused \(uid-changed\).*uid 3401.*uid 3402/);
    assert.match(await product.must(['user', 'list']), /^js\t.*\tanother uid$/m);
  });

  scenario(
    product,
    "an administrator removes the former user's record, and the new user starts without one",
    async () => {
      await product.must(['user', 'forget', 'js', '--yes']);
      await isRefused('js', 'no-factor');
      secret = await product.addHotp('js');
      await isLetIn('js', 3402, hotp(secret, 0));
    },
  );

  scenario(product, 'a new name of the same uid keeps the record', async () => {
    must('usermod', ['-l', 'jsmith', 'js']);
    assert.match(await product.must(['user', 'list']), /^js\t.*\tgone$/m);
    await isRefused('jsmith', 'no-factor');
    await product.must(['user', 'move', 'js', 'jsmith']);
    await isLetIn('jsmith', 3402, hotp(secret, 1));
  });

  scenario(
    product,
    'a new uid of the same person is accepted once an administrator confirms it',
    async () => {
      must('usermod', ['-u', '3403', 'jsmith']);
      await isRefused('jsmith', 'uid-changed');
      await assert.rejects(product.must(['user', 'move', 'jsmith', 'jsmith']), /uid 3402.*uid 3403/s);
      await product.must(['user', 'move', 'jsmith', 'jsmith', '--yes']);
      await isLetIn('jsmith', 3403, hotp(secret, 2));
      const kinds = (await product.events('jsmith')).map(({ kind, reason }) => `${kind} ${reason}`);
      assert.ok(kinds.includes('user-moved by-admin') && kinds.includes('user-moved new-uid'));
    },
  );
});
