import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Origin } from '../../../daemon/host/contract.ts';
import { factsOf, isFirstFactorVerified } from '../../../daemon/login/facts.ts';
import type { HelloFrame } from '../../../daemon/protocol/login.ts';
import { hostWith } from '../../support/host.ts';
import { publicKey } from '../../support/ssh-keys.ts';

const plain: HelloFrame = {
  type: 'hello',
  service: 'sudo',
  user: 'alice',
  realUid: 1000,
  mode: 'prompt',
  firstFactorPassed: false,
  deadline: 100_000,
  flags: 0,
  terminal: false,
};
const hello = (changes: Partial<HelloFrame> = {}): HelloFrame => ({ ...plain, ...changes });
const key = 'publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample';

describe('a first factor is verified', () => {
  const table: [string, Partial<HelloFrame>, boolean][] = [
    ['when the stack says so', { firstFactorPassed: true }, true],
    ['not when nobody says so', {}, false],
    ['when sshd has verified a key', { service: 'sshd', sshAuthInfo: `${key}\n` }, true],
    ['when the key stands after another line', { service: 'sshd', sshAuthInfo: `password\n${key}\n` }, true],
    ['not by a password line alone', { service: 'sshd', sshAuthInfo: 'password\n' }, false],
    ['not by hostbased', { service: 'sshd', sshAuthInfo: 'hostbased ssh-rsa AAAA\n' }, false],
    ['not by keyboard-interactive', { service: 'sshd', sshAuthInfo: 'keyboard-interactive/pam\n' }, false],
    ['not by a word that begins like it', { service: 'sshd', sshAuthInfo: 'publickeys ssh-rsa A' }, false],
    ['not by the word alone', { service: 'sshd', sshAuthInfo: 'publickey' }, false],
    ['not by the word later in a line', { service: 'sshd', sshAuthInfo: 'password publickey x' }, false],
    ['not by a line that is pushed in', { service: 'sshd', sshAuthInfo: ' publickey ssh-rsa A' }, false],
    ['not by another case', { service: 'sshd', sshAuthInfo: 'PUBLICKEY ssh-rsa A' }, false],
    ['not by the line in sudo: there it is only a variable', { sshAuthInfo: key }, false],
    ['not by the line in a service that begins like sshd', { service: 'sshd-x', sshAuthInfo: key }, false],
    ['not by the line in SSHD', { service: 'SSHD', sshAuthInfo: key }, false],
    ['not without the line in sshd', { service: 'sshd' }, false],
  ];
  for (const [what, changes, proven] of table) {
    it(what, () => assert.equal(isFirstFactorVerified(hello(changes), true), proven));
    it(`${what} — and never on pam-user.sock`, () =>
      assert.equal(isFirstFactorVerified(hello(changes), false), false));
  }
});

describe('the keys that sshd has verified', () => {
  const host = hostWith({ bootId: 'boot-1' });
  const keysOf = async (changes: Partial<HelloFrame>, rootSocket = true) =>
    (await factsOf(hello(changes), { host, socket: rootSocket ? 'root' : 'user', peerUid: 0 })).sshKeys;
  const sshAuthInfo = `publickey sk-ssh-ed25519@openssh.com ${publicKey('a')}\n`;

  it('are reported by sshd, on pam.sock', async () => {
    assert.deepEqual(await keysOf({ service: 'sshd', sshAuthInfo }), [publicKey('a')]);
  });

  it('are not trusted from another program, nor on pam-user.sock', async () => {
    for (const service of ['sudo', 'sshd-x', 'SSHD', 'sallyport-portal', 'login'])
      assert.equal(await keysOf({ service, sshAuthInfo, firstFactorPassed: true }), undefined);
    assert.equal(await keysOf({ service: 'sshd', sshAuthInfo }, false), undefined);
  });

  it('are absent if sshd reports nothing, or names an ordinary key', async () => {
    assert.equal(await keysOf({ service: 'sshd', firstFactorPassed: true }), undefined);
    assert.equal(await keysOf({ service: 'sshd', sshAuthInfo: `${key}\n` }), undefined);
  });
});

describe('a login is local', () => {
  const asked: string[] = [];
  const host = hostWith({
    bootId: 'boot-1',
    sessionIsLocal: async (session: string): Promise<boolean> => {
      asked.push(session);
      return session === 'local';
    },
  });
  const localOf = async (changes: Partial<HelloFrame>, rootSocket = true): Promise<boolean> =>
    (await factsOf(hello(changes), { host, socket: rootSocket ? 'root' : 'user', peerUid: 0 })).local;

  const table: [string, Partial<HelloFrame>, boolean][] = [
    ['in a session that logind calls local and active', { session: 'local', tty: 'pts/0' }, true],
    ['not in one that it does not', { session: 'remote', tty: 'tty1' }, false],
    ['not with an rhost, whatever the session', { session: 'local', rhost: 'localhost' }, false],
    ['not with an rhost, whatever the console', { service: 'login', tty: 'tty1', rhost: '127.0.0.1' }, false],
    ['on a virtual console, where no session is', { service: 'login', tty: 'tty1' }, true],
    ['on a virtual console with its directory', { service: 'login', tty: '/dev/tty12' }, true],
    ['on the last virtual console', { service: 'login', tty: 'tty63' }, true],
    ['not in a program other than login(1), which had a session', { service: 'su', tty: 'tty1' }, false],
    ['not beyond the last one', { service: 'login', tty: 'tty64' }, false],
    ['not on tty0, which is whichever is shown', { service: 'login', tty: 'tty0' }, false],
    ['not on the controlling terminal, which is anyone', { service: 'login', tty: '/dev/tty' }, false],
    ['not on a serial line', { service: 'login', tty: 'ttyS0' }, false],
    ['not on a serial line over USB', { service: 'login', tty: '/dev/ttyUSB1' }, false],
    ['not on a pseudo terminal', { service: 'login', tty: '/dev/pts/1' }, false],
    ['not under a path that ends like one', { service: 'login', tty: '/tmp/dev/tty1' }, false],
    ['not with something behind it', { service: 'login', tty: 'tty1 ' }, false],
    ['not with a line behind it', { service: 'login', tty: 'tty1\nx' }, false],
    ['not over ssh', { service: 'login', tty: 'ssh' }, false],
    ['not on a display', { service: 'login', tty: ':0' }, false],
    ['not where nothing is known', {}, false],
  ];
  for (const [what, changes, local] of table) {
    it(what, async () => assert.equal(await localOf(changes), local));
    it(`${what} — and never on pam-user.sock`, async () =>
      assert.equal(await localOf(changes, false), false));
  }

  it('and logind is not asked if the answer would not count', async () => {
    asked.length = 0;
    await localOf({ session: 'local', rhost: '192.0.2.1' });
    await localOf({ session: 'local' }, false);
    assert.deepEqual(asked, []);
  });
});

describe('text is shown to the user', () => {
  const host = hostWith({ bootId: 'boot-1', sessionIsLocal: async () => true });
  const reaches = async (changes: Partial<HelloFrame>, rootSocket = true) =>
    (await factsOf(hello(changes), { host, socket: rootSocket ? 'root' : 'user', peerUid: 0 })).reachesPerson;
  const table: [string, Partial<HelloFrame>, boolean][] = [
    ['over ssh', { service: 'sshd', tty: 'ssh', rhost: '192.0.2.1' }, true],
    ['at a terminal that the module has found', { terminal: true, tty: '/dev/pts/1' }, true],
    ['not by the name sshd only', { service: 'sshd' }, false],
    ['not in sshd on another terminal', { service: 'sshd', tty: 'pts/1' }, false],
    ['not by the terminal ssh only', { service: 'cockpit', tty: 'ssh' }, false],
    ['not in sudo that has found no terminal', { service: 'sudo', tty: '/dev/pts/1' }, false],
    ['not in su of a script', { service: 'su' }, false],
    ['not in login, by its name', { service: 'login', tty: 'tty1' }, false],
    ['not in a greeter, local or not', { service: 'gdm-password', tty: '/dev/tty1', session: 'c1' }, false],
    ['not in FTP or mail', { service: 'vsftpd', tty: 'ftp', rhost: '192.0.2.1' }, false],
  ];
  for (const [what, changes, expected] of table) {
    it(what, async () => assert.equal(await reaches(changes), expected));
    it(`${what} — and never on pam-user.sock`, async () =>
      assert.equal(await reaches(changes, false), false));
  }
});

describe('the facts of a login', () => {
  const host = hostWith({ bootId: 'boot-1' });
  const origin = (socket: Origin['socket']): Origin => ({ host, socket, peerUid: 1000 });

  it('contain the address in one form, and a host name as no address', async () => {
    const sourceOf = async (rhost: string): Promise<string | undefined> =>
      (await factsOf(hello({ rhost }), origin('root'))).source;
    assert.equal(await sourceOf('192.0.2.7'), '192.0.2.7');
    assert.equal(await sourceOf('::ffff:192.0.2.7'), '192.0.2.7');
    assert.equal(await sourceOf('2001:DB8:0::1'), '2001:db8::1');
    for (const name of [
      'localhost',
      '192.0.2.7.evil.example',
      '192.0.2',
      '0x7f000001',
      '10.0.0.0/8',
      ' 10.0.0.1',
    ])
      assert.equal(await sourceOf(name), undefined, name);
  });

  it('identify the peer by the socket, and never by HELLO', async () => {
    const facts = await factsOf(hello({ realUid: 0, firstFactorPassed: true }), origin('user'));
    assert.equal(facts.peerUid, 1000);
    assert.equal(facts.rootSocket, false);
    assert.equal(facts.firstFactorVerified, false);
    assert.equal(facts.local, false);
  });

  it('contain the name unchanged', async () => {
    const facts = await factsOf(hello({ user: 'CORP\\Alice', mode: 'first-pass' }), origin('root'));
    assert.equal(facts.user, 'CORP\\Alice');
    assert.equal(facts.mode, 'first-pass');
    assert.equal(facts.bootId, 'boot-1');
  });

  it('fail with logind: an error is neither "remote" nor "local"', async () => {
    const broken = hostWith({ sessionIsLocal: async () => Promise.reject(new Error('dbus')) });
    await assert.rejects(factsOf(hello({ session: '1' }), { ...origin('root'), host: broken }));
  });
});
