import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseLink } from '../../../daemon/api/sign-in-views.ts';
import { runCli } from '../../support/cli-child.ts';
import { totp } from '../../support/codes.ts';
import { type ControlRig, startControl, uids } from '../../support/control-rig.ts';
import { phone, seed } from '../control/records.ts';

const config = `
[webauthn]
rp_id = "example.org"

[portal]
origins = ["https://login.example.org", "https://other.example.org"]
cert_file = "/none.crt"
key_file = "/none.key"

[[realm]]
name = "strict"
members = { users = ["alice", "root"] }
require = ["totp"]

[[realm]]
name = "everyone"
require = "none"
`;
const day = 86_400_000;

interface Printed {
  readonly invited: readonly { account: string; link: string; url?: string; expires: number }[];
  readonly failed: readonly { account: string; code: string; message: string }[];
}
const printed = (out: string): Printed => JSON.parse(out);

describe('by root', () => {
  let rig: ControlRig;
  before(async () => {
    rig = await startControl({ config });
  });
  after(() => rig.close());
  const cli = (words: readonly string[], input?: string) =>
    runCli(['--config', rig.configFile, ...words], input);
  const inviteOf = async (account: string) => (await rig.store.get(account))?.invite;

  test('one link for each, on the configured portal, for one day, with the password', async () => {
    const began = Date.now();
    const { status, lines, err } = await cli(['invite', 'alice', 'bob', 'alice']);
    assert.equal(status, 0, err);
    assert.equal(lines.length, 2);
    for (const [index, account] of ['alice', 'bob'].entries()) {
      const [user, link, until] = lines[index]?.split('\t') ?? [];
      assert.equal(user, account);
      assert.match(link ?? '', /^https:\/\/login\.example\.org\/invite#\w+\.[\w-]{22}$/);
      const left = Date.parse(until ?? '') - began;
      assert.ok(left > day - 2_000 && left < day + 60_000, until);
      assert.equal((await inviteOf(account))?.withoutPassword, false);
    }
    assert.match(err, /works once/);
    assert.doesNotMatch(rig.logged.join('\n'), /\/invite#\w/);
  });

  test('without the password on request; the newest one counts', async () => {
    const first = await inviteOf('alice');
    const { status, out } = await cli(['invite', 'alice', '--without-password', '--json']);
    assert.equal(status, 0);
    const { invited, failed } = printed(out);
    assert.deepEqual(failed, []);
    assert.deepEqual(Object.keys(invited[0] ?? {}).sort(), ['account', 'expires', 'link', 'url']);
    const second = await inviteOf('alice');
    assert.equal(second?.withoutPassword, true);
    assert.notEqual(second.digest, first?.digest);
  });

  test('a failed account prevents no other invite, is named, and determines the exit status', async () => {
    const { status, lines, err } = await cli(['invite', 'nobody-there', 'alice', '../x', 'bob']);
    assert.equal(status, 3, err);
    assert.deepEqual(
      lines.map((line) => line.split('\t')[0]),
      ['alice', 'bob'],
    );
    assert.match(err, /^sallyport: nobody-there: .*account "nobody-there" not found/m);
    assert.match(err, /^sallyport: \.\.\/x: .*account "\.\.\/x" not found/m);
    const json = await cli(['invite', 'alice', 'nobody-there', '--json']);
    assert.equal(json.status, 3);
    const { invited, failed } = printed(json.out);
    assert.deepEqual([invited[0]?.account, failed[0]?.account], ['alice', 'nobody-there']);
    assert.equal(failed[0]?.code, 'no-such-account');
  });

  test('a list from a file or a pipe, with comments, each name once', async () => {
    const list = '# the new ones\nalice\n\n  bob # since May\r\nalice\n';
    const file = join(rig.directory, 'list');
    writeFileSync(file, list);
    const runs = await Promise.all([
      cli(['invite', '--from', file]),
      cli(['invite', 'carol', '--from', '-'], list),
    ]);
    const users = runs.map(({ lines }) => lines.map((line) => line.split('\t')[0]));
    assert.deepEqual(users, [
      ['alice', 'bob'],
      ['carol', 'alice', 'bob'],
    ]);
    const [nobody, away] = await Promise.all([
      cli(['invite', '--from', '-'], '#\n'),
      cli(['invite', '--from', join(rig.directory, 'none')]),
    ]);
    assert.deepEqual([nobody.status, away.status], [2, 2]);
    assert.match(nobody.err, /no account to invite/);
    assert.match(away.err, /cannot read .* \(ENOENT\); check --from/);
  });

  test('an unreachable daemon is reported once', async () => {
    const file = join(rig.directory, 'away.toml');
    writeFileSync(file, `[paths]\ncontrol_socket = "${rig.directory}/none.sock"\n`);
    const { status, err, out } = await runCli(['--config', file, 'invite', 'alice', 'bob', 'carol']);
    assert.equal(status, 4);
    assert.equal(out, '');
    assert.equal(err.match(/does not answer/g)?.length, 1, err);
    assert.match(err, /not attempted: bob carol/);
  });

  test('without a portal the secret parts are printed, with a note that they are not addresses', async (t) => {
    const plain = await startControl();
    t.after(() => plain.close());
    const { status, lines, err } = await runCli(['--config', plain.configFile, 'invite', 'alice']);
    assert.equal(status, 0);
    assert.match(lines[0] ?? '', /^alice\t\w+\.[\w-]{22}\t/);
    assert.match(err, /no \[portal\] origins/);
  });
});

/**
 * This process is uid 0, which counts as an ordinary user here, or as an administrator; carol's uid is one of root's.
 */
describe('by a user other than root', () => {
  const stranger = () => startControl({ config, rootUids: new Set([uids.carol]) });
  const at = (rig: ControlRig, words: readonly string[], typed: readonly string[] = []) =>
    runCli(['--config', rig.configFile, ...words], typed.map((line) => `${line}\n`).join(''));

  test('an administrator signs in once for the whole list, and invites no account of root’s', async (t) => {
    const rig = await stranger();
    t.after(() => rig.close());
    rig.names.admins = new Set(['root']);
    await rig.store.put('root', { factors: [phone] });
    const words = ['invite', 'alice', 'carol', 'bob'];
    const { status, lines, err } = await at(rig, words, ['password of root', totp(seed)]);
    assert.equal(status, 77, err);
    assert.deepEqual(
      lines.map((line) => line.split('\t')[0]),
      ['alice', 'bob'],
    );
    assert.match(err, /^sallyport: carol: .*permission denied/m);
    assert.equal(err.match(/This requires your password/g)?.length, 1);
    assert.equal((await rig.store.get('carol'))?.invite, undefined);
    assert.equal(rig.store.trail.filter(({ kind }) => kind === 'invited')[0]?.actor, 'uid:0');
  });

  test('a wrong password is tried once, not once for each account', async (t) => {
    const rig = await stranger();
    t.after(() => rig.close());
    rig.names.admins = new Set(['root']);
    const { status, err } = await at(rig, ['invite', 'alice', 'bob'], ['wrong', 'wrong', 'wrong']);
    assert.equal(status, 77);
    assert.equal(err.match(/Incorrect account name or password/g)?.length, 1, err);
    assert.match(err, /not attempted: bob/);
  });

  test('other users cannot invite', async (t) => {
    const rig = await stranger();
    t.after(() => rig.close());
    const { status, err, out } = await at(rig, ['invite', 'alice'], ['password of root']);
    assert.equal(status, 77);
    assert.equal(out, '');
    assert.match(err, /alice: permission denied/);
  });

  test('a sign-in link replaces the password, and only once', async (t) => {
    const rig = await startControl({ config: config.replace(', "root"', ''), rootUids: new Set() });
    t.after(() => rig.close());
    const refused = await at(rig, ['portal', 'link']);
    assert.equal(refused.status, 77);
    assert.match(refused.err, /this account has a password, or the system cannot rule it out/);
    rig.passwords.without.add('root');
    const address = (await at(rig, ['portal', 'link'])).lines[0] ?? '';
    assert.match(address, /^https:\/\/login\.example\.org\/sign-in#link=[\w-]{22}$/);
    const added = await at(rig, ['factor', 'add', 'recovery', 'root', '--link'], [address]);
    assert.equal(added.status, 0, added.err);
    assert.equal(added.lines.length, 10);
    const again = await at(rig, ['--link', 'factor', 'add', 'recovery', 'root', '--yes'], [address]);
    assert.equal(again.status, 77);
    assert.match(again.err, /invalid, used or expired/);
  });

  test('without an origin of the portal a link is only its secret, which the command accepts', async (t) => {
    const withoutPortal = config.replace(', "root"', '').replace(/\[portal\][\s\S]*?(?=\[\[realm)/, '');
    const rig = await startControl({ config: withoutPortal, rootUids: new Set() });
    t.after(() => rig.close());
    rig.passwords.without.add('root');
    const plain = await at(rig, ['portal', 'link']);
    assert.equal(plain.status, 0, plain.err);
    assert.equal(plain.lines.length, 1);
    assert.match(plain.lines[0] ?? '', /^[\w-]{22}$/);
    assert.match(
      plain.err,
      /no \[portal\] origins, so this is only the secret of the link; enter it with --link/,
    );
    assert.doesNotMatch(plain.err, /browser/);
    const asJson = JSON.parse((await at(rig, ['portal', 'link', '--json'])).out);
    assert.deepEqual(Object.keys(asJson), ['link', 'expires']);
    const added = await at(rig, ['factor', 'add', 'recovery', 'root', '--link'], [asJson.link]);
    assert.equal(added.status, 0, added.err);
  });

  test('an invite does too, and asks for the password unless it was created without', async (t) => {
    const [root, other] = await Promise.all([startControl({ config }), stranger()]);
    t.after(() => Promise.all([root.close(), other.close()]));
    for (const without of [true, false]) {
      const words = ['invite', 'root', ...(without ? ['--without-password'] : []), '--json'];
      const url = printed((await at(root, words)).out).invited[0]?.url ?? '';
      const { invite } = (await root.store.get('root')) ?? {};
      await other.store.put('root', { factors: [], ...(invite && { invite }) });
      const typed = [url, ...(without ? [] : ['password of root'])];
      const added = await at(other, ['factor', 'add', 'recovery', 'root', '--link'], typed);
      assert.equal(added.status, 0, added.err);
      assert.equal((await other.store.get('root'))?.invite, undefined);
    }
  });
});

test('a link is accepted as it was sent: the whole address, or its secret part', () => {
  const secret = 'YWxpY2U.abcdefghijklmnopqrstuv';
  for (const [typed, link] of [
    [`https://login.example.org/invite#${secret}`, secret],
    [`http://localhost:8443/sign-in#link=abc-_d`, 'abc-_d'],
    [`https://login.example.org/invite/${secret}`, secret],
    [` https://login.example.org/invite/${secret}\t`, secret],
    [`http://localhost:8443/sign-in?link=abc-_d`, 'abc-_d'],
    [secret, secret],
    ['https://login.example.org/', 'https://login.example.org/'],
  ])
    assert.equal(parseLink(typed ?? ''), link);
});
