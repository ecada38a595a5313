import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { pam, result, say } from '../support/fake-daemon.ts';
import { tag } from '../support/module-frames.ts';
import { type LoginOptions, ModuleRig } from '../support/module-rig.ts';

/** HELLO contains what the program and the kernel report, and nothing that the user can set. */
const rig = new ModuleRig();
before(() => rig.build());
after(() => rig.remove());

const numbers = new Set(['version', 'realUid', 'mode', 'firstFactorPassed', 'deadline', 'flags']);

type Hello = Partial<Record<keyof typeof tag, string | number>>;

async function helloOf(login: LoginOptions): Promise<Hello> {
  const place = rig.place();
  const socket = login.uid === undefined ? place.socket : place.userSocket;
  const daemon = await place.listen(say(result(pam.ignore)), socket);
  const outcome = await place.login(login);
  assert.equal(outcome.code, pam.ignore);
  const fields = daemon.peers[0]?.received[0]?.fields ?? new Map<number, Buffer>();
  const known = Object.entries(tag).flatMap(([name, number]) => {
    const bytes = fields.get(number);
    if (bytes === undefined) return [];
    return [[name, numbers.has(name) ? bytes.readUIntBE(0, bytes.length) : bytes.toString()] as const];
  });
  assert.equal(known.length, fields.size, 'no other field');
  return Object.fromEntries(known);
}

/** The session of this process, read independently. */
function ownSession(): string | undefined {
  const cgroups = readFileSync('/proc/self/cgroup', 'utf8');
  return /^(?:0:|\d+:name=systemd):(?:\/[^/\n]+\.slice)*\/session-(\w+)\.scope/m.exec(cgroups)?.[1];
}

describe('HELLO', { concurrency: 4 }, () => {
  it('with nothing set', async () => {
    const { deadline, session, ...hello } = await helloOf({ service: 'login' });
    assert.deepEqual(hello, {
      version: 1,
      service: 'login',
      user: 'alice',
      realUid: process.getuid?.(),
      mode: 0,
      firstFactorPassed: 0,
      flags: 0,
    });
    assert.ok(Number(deadline) > 0 && Number(deadline) <= 100_000);
    assert.equal(session, ownSession());
  });

  it('with all that a program can set', async () => {
    const sshAuthInfo = 'publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5\nkeyboard-interactive/pam\n';
    const { deadline, session, ...hello } = await helloOf({
      service: 'sshd',
      user: 'zoë@corp.example',
      words: [
        'ruser=bob',
        'rhost=2001:db8::1',
        'tty=ssh',
        'flags=0x8001',
        `env=SSH_AUTH_INFO_0=${sshAuthInfo}`,
      ],
      options: ['first_factor=passed', 'password_and_code', 'timeout=5'],
    });
    assert.deepEqual(hello, {
      version: 1,
      service: 'sshd',
      user: 'zoë@corp.example',
      ruser: 'bob',
      rhost: '2001:db8::1',
      tty: 'ssh',
      realUid: process.getuid?.(),
      mode: 1,
      firstFactorPassed: 1,
      sshAuthInfo,
      flags: 0x8001,
    });
    assert.ok(Number(deadline) > 0 && Number(deadline) <= 5000);
    assert.equal(session, ownSession());
  });

  it('the session is never taken from the environment', async () => {
    const { session } = await helloOf({ words: ['env=XDG_SESSION_ID=1', 'env=XDG_SEAT=seat0'] });
    assert.equal(session, ownSession());
  });

  it('the real uid and the mode of a screen locker', async () => {
    const hello = await helloOf({ uid: 65534, user: 'nobody', options: ['use_first_pass'] });
    assert.equal(hello.realUid, 65534);
    assert.equal(hello.mode, 2);
  });

  it('first_pass, the deprecated name of use_first_pass, is the same mode', async () => {
    assert.equal((await helloOf({ options: ['first_pass'], probe: ['authtok=x'] })).mode, 2);
  });

  it('SSH_AUTH_INFO_0 is included up to 12288 bytes and omitted if longer', async () => {
    const info = 'k'.repeat(12_288);
    assert.equal((await helloOf({ words: [`env=SSH_AUTH_INFO_0=${info}`] })).sshAuthInfo, info);
    assert.equal((await helloOf({ words: [`env=SSH_AUTH_INFO_0=${info}k`] })).sshAuthInfo, undefined);
  });

  it('empty texts count as absent', async () => {
    const hello = await helloOf({ words: ['rhost=', 'ruser=', 'tty=', 'env=SSH_AUTH_INFO_0='] });
    for (const name of ['rhost', 'ruser', 'tty', 'sshAuthInfo'] as const)
      assert.equal(hello[name], undefined);
  });

  const longest: readonly (readonly [
    name: keyof Hello,
    length: number,
    login: (text: string) => LoginOptions,
  ])[] = [
    ['service', 64, (text) => ({ service: text })],
    ['user', 256, (text) => ({ user: text })],
    ['ruser', 256, (text) => ({ words: [`ruser=${text}`] })],
    ['rhost', 256, (text) => ({ words: [`rhost=${text}`] })],
    ['tty', 128, (text) => ({ words: [`tty=${text}`] })],
  ];
  for (const [name, length, login] of longest) {
    it(`${name} of ${length} bytes is sent completely`, async () => {
      assert.equal((await helloOf(login('x'.repeat(length))))[name], 'x'.repeat(length));
    });

    it(`${name} of ${length + 1} bytes is refused, never cut or omitted`, async () => {
      const place = rig.place();
      const daemon = await place.listen(say(result(pam.success)));
      const outcome = await place.login(login('x'.repeat(length + 1)));
      assert.equal(outcome.code, pam.systemErr);
      assert.equal(daemon.peers.length, 0);
    });
  }
});
