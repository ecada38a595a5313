import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hotp } from '../support/codes.ts';
import { run } from '../support/rig/commands.ts';
import { repository } from '../support/rig/layout.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, type Person, password } from '../support/rig/people.ts';
import type { Event } from '../support/rig/product.ts';
import { pamApp, prepare, scenario } from '../support/rig/scenario.ts';
import {
  certify,
  compileSecurityKeys,
  makeAuthority,
  makeSecurityKey,
  type SecurityKey,
  withSecurityKeys,
} from '../support/rig/security-keys.ts';
import { authorizeKey, authorizeKeys, makeSshKeys, ssh, startSshd } from '../support/rig/ssh.ts';
import { useSnippet } from '../support/rig/stack.ts';
import { Terminal } from '../support/rig/terminal.ts';

/** FIDO keys of ssh as the second factor: a real sshd, a real ssh, and a software security key. */
const realms = `
[[realm]]
name = "staff"
members = { uids = ["3000-3999"] }
require = "any"
  [[realm.rule]]
  services = ["sshd"]
  from = ["127.0.0.1"]
  action = { accept = "ssh-sk" }

[[realm]]
name = "rest"
require = "none"
`;
const port = 2204;
/** With sallyport-security-key.conf beside it: touch and PIN. */
const strictPort = 2205;
const whoami = ['echo "in-$(id -un)"'];

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);
  useSnippet('sshd', 'sallyport-sshd-key');
  makeSshKeys();
  compileSecurityKeys();
  const authority = makeAuthority();
  const trusted = `TrustedUserCAKeys ${authority.pub}`;
  await startSshd(port, 'sallyport-key-code.conf', [trusted]);
  await startSshd(strictPort, 'sallyport-key-code.conf', [
    trusted,
    `Include ${join(repository, 'pam-config/sshd_config.d/sallyport-security-key.conf')}`,
  ]);

  interface How {
    readonly at?: number;
    readonly from?: string;
    /** Flags of the signature: 1 touched, 4 PIN. */
    readonly flags?: number;
  }
  const connect = (user: string, key: SecurityKey | true, how: How = {}): Terminal => {
    const { at = port, from = '127.0.0.1', flags = 1 } = how;
    const file = key === true ? key : key.file;
    const argv = ssh(user, { port: at, key: file, from, options: [withSecurityKeys] }, whoami);
    return new Terminal(argv, { SK_FLAGS: String(flags) });
  };
  const letsIn = async (user: string, key: SecurityKey, how: How = {}): Promise<void> => {
    const terminal = connect(user, key, how);
    assert.equal(await terminal.ended(), 0, terminal.transcript);
    assert.match(terminal.transcript, new RegExp(`in-${user}`));
    assert.doesNotMatch(terminal.transcript, /code|factor|password/i);
  };
  const asks = async (
    user: string,
    key: SecurityKey | true,
    code: string,
    { prompt = /Verification code: /, ...how }: How & { readonly prompt?: RegExp } = {},
  ): Promise<void> => {
    const terminal = connect(user, key, how);
    await terminal.answer(prompt, code);
    await terminal.expect(new RegExp(`in-${user}`));
    assert.equal(await terminal.ended(), 0);
  };
  const add = (user: string, key: SecurityKey, ...more: readonly string[]) =>
    product.must(['factor', 'add', 'ssh-sk', user, '--key', key.pub, ...more]);
  const person = (name: string, ...keys: readonly SecurityKey[]): Person => {
    const made = addPerson(name);
    authorizeKeys(
      made,
      keys.map(({ line }) => line),
    );
    return made;
  };
  const logins = async (user: string): Promise<readonly Event[]> =>
    (await product.events(user)).filter(({ kind }) => kind === 'login');

  const key = makeSecurityKey('key');
  const other = makeSecurityKey('other');

  scenario(product, 'an enrolled key is accepted without a prompt, and leaves one event', async () => {
    const ecdsa = makeSecurityKey('ecdsa', 'ecdsa-sk');
    person('alice', key, ecdsa);
    await add('alice', key, '--name', 'blue');
    await letsIn('alice', key);
    const [first, ...rest] = await logins('alice');
    assert.deepEqual([first?.outcome, first?.reason, rest.length], ['success', 'verified', 0]);
    assert.deepEqual([first?.factor?.kind, first?.factor?.name], ['ssh-sk', 'blue']);
    assert.match(await product.must(['factor', 'list', 'alice']), /\tblue\tenabled\t\S+\t\d{4}-/);
    await add('alice', ecdsa);
    await letsIn('alice', ecdsa);
    assert.equal((await logins('alice')).length, 2);
  });

  scenario(product, 'another security key, or an ordinary key, is asked for a code', async () => {
    const bob = person('bob', key, other);
    await add('bob', key);
    const secret = await product.addHotp('bob');
    await asks('bob', other, hotp(secret, 0));
    authorizeKey(bob);
    await asks('bob', true, hotp(secret, 1));
    assert.deepEqual(
      (await logins('bob')).map(({ factor }) => factor?.kind),
      ['hotp', 'hotp'],
    );
  });

  scenario(product, 'the rule restricts the source, and a disabled key is not accepted', async () => {
    person('carol', key);
    person('dave', key);
    for (const user of ['carol', 'dave']) await add(user, key, '--name', 'blue');
    const secret = await product.addHotp('carol');
    await letsIn('carol', key);
    await asks('carol', key, hotp(secret, 0), { from: '127.0.0.2' });
    await product.must(['factor', 'disable', 'dave', 'blue', '--yes']);
    const refused = connect('dave', key);
    await refused.expect(/All your second factors are disabled/);
    await refused.hangUp();
    await product.must(['factor', 'enable', 'dave', 'blue']);
    await letsIn('dave', key);
  });

  scenario(
    product,
    'a certificate counts as the key in it; one too long for a frame is unknown',
    async () => {
      const bearer = makeSecurityKey('bearer');
      const long = makeSecurityKey('long');
      const erin = person('erin');
      for (const [index, each] of [bearer, long].entries()) await add('erin', each, '--name', `k${index}`);
      const secret = await product.addHotp('erin');
      certify(authority.file, bearer, ['erin']);
      const many = Array.from(
        { length: 250 },
        (_, index) => `${String(index).padStart(4, '0')}${'x'.repeat(44)}`,
      );
      certify(authority.file, long, ['erin', ...many]);
      assert.ok(readFileSync(`${long.file}-cert.pub`, 'utf8').length > 12_288);
      authorizeKeys(erin, []);
      await letsIn('erin', bearer);
      await asks('erin', long, hotp(secret, 0), { prompt: /Second factor: / });
    },
  );

  scenario(
    product,
    'only sshd can require touch and PIN, and then no user can remove the requirement',
    async () => {
      const frank = person('frank');
      authorizeKeys(frank, [`no-touch-required ${key.line}`]);
      await add('frank', key);
      // Without a touch, and indistinguishable from a touched one: the reason for the drop-in.
      await letsIn('frank', key, { flags: 0 });
      for (const flags of [0, 1, 4]) {
        const refused = connect('frank', key, { at: strictPort, flags });
        assert.equal(await refused.ended(), 255, `flags ${flags}: ${refused.transcript}`);
        assert.doesNotMatch(refused.transcript, /in-|code|factor/);
      }
      await letsIn('frank', key, { at: strictPort, flags: 5 });
      const lax = makeSecurityKey('lax');
      certify(authority.file, lax, ['frank'], ['no-touch-required']);
      await add('frank', lax, '--name', 'lax');
      const untouched = connect('frank', lax, { at: strictPort, flags: 4 });
      assert.equal(await untouched.ended(), 255, untouched.transcript);
      await letsIn('frank', lax, { at: strictPort, flags: 5 });
    },
  );

  scenario(
    product,
    '64 concurrent logins with one key: sshd has verified each, and each is accepted',
    async () => {
      person('heidi', key);
      await add('heidi', key);
      const [type = '', blob = ''] = key.line.split(' ');
      const said = ['--env', `SSH_AUTH_INFO_0=publickey ${type} ${blob}\n`, '--rhost', '127.0.0.1'];
      const calls = Array.from({ length: 64 }, () => run(pamApp, [...said, '--tty', 'ssh', 'sshd', 'heidi']));
      for (const { stdout } of await Promise.all(calls)) assert.match(stdout, /^authenticate 0 /m);
      const events = await logins('heidi');
      assert.deepEqual(
        new Set(events.map(({ outcome, reason }) => `${outcome} ${reason}`)),
        new Set(['success verified']),
      );
      assert.equal(events.length, 64);
    },
  );

  scenario(product, 'key and password: the key replaces the code, and nothing else', async () => {
    useSnippet('sshd', 'sallyport-sshd');
    person('grace', key);
    await add('grace', key);
    const wrong = connect('grace', key);
    await wrong.answer(/Password: /, 'wrong');
    await wrong.expect(/Password: /);
    await wrong.hangUp();
    const right = connect('grace', key);
    await right.answer(/Password: /, password);
    await right.expect(/in-grace/);
    assert.equal(await right.ended(), 0);
    assert.deepEqual(
      (await logins('grace')).map(({ outcome }) => outcome),
      ['success'],
    );
  });
});
