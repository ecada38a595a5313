import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Command } from 'commander';
import { widthOf, wordsOf } from '../../../cli/lib/columns.ts';
import { programOf } from '../../../cli/program.ts';
import { nowhere } from '../../../man/world.ts';
import { runInProcess } from '../../support/cli-in-process.ts';
import { type ControlRig, startControl } from '../../support/control-rig.ts';
import { fob, grant, paper, phone } from '../control/records.ts';

/** Every command with output, with long names, on terminals of the usual width and of half of it. */

const user = 'somebody-with-a-rather-long-name-of-64-letters@corp.example.test';
const realmName = 'people-who-administer-the-machines';
const config = `
[[realm]]
name = "${realmName}"
members = { users = ["${user}", "alice"] }
require = ["totp", "yubikey"]
  [[realm.rule]]
  services = ["cron"]
  action = "skip"

[[realm]]
name = "everyone"
require = "none"
`;
const now = Date.now();
const second = {
  ...fob,
  name: 'the grey one in the drawer of the desk',
  lastUsed: now - 60_000,
  enabled: false,
};

let rig: ControlRig;
before(async () => {
  rig = await startControl({ config });
  rig.names.people.set(user, 61_050);
  const exemption = { since: now, until: now + 86_400_000, by: 'uid:0', reason: 'a broken phone' };
  const lastLogin = {
    at: now - 3_600_000,
    service: 'sshd',
    source: '2001:db8:1234:5678:9abc:def0:1234:5678',
  };
  for (const account of [user, 'alice', 'bob'])
    await rig.store.put(account, {
      uid: account === user ? 61_050 : account === 'alice' ? 61_001 : 61_002,
      factors: [phone, second, paper],
      grants: [grant],
      lock: { codes: 4, any: 4, codesLockedAt: now - 60_000 },
      lastLogin,
      exemption,
    });
  const about = { at: now - 60_000, account: user, realm: realmName, source: lastLogin.source };
  await rig.store.commit({
    accounts: [],
    events: [
      { ...about, kind: 'login', outcome: 'refused', reason: 'wrong', service: 'sshd', locked: 'codes' },
      {
        ...about,
        kind: 'exempted',
        outcome: 'done',
        reason: 'issued',
        actor: 'uid:0',
        until: exemption.until,
      },
      {
        ...about,
        account: 'alice',
        kind: 'login',
        outcome: 'success',
        reason: 'verified',
        service: 'sudo',
        factor: { id: 'bbbb', kind: 'hotp', name: second.name },
      },
    ],
  });
});
after(() => rig.close());

/** Command lines by the command that they test. */
const lines: Readonly<Record<string, readonly string[]>> = {
  status: [],
  doctor: ['--verbose'],
  'realm list': [],
  'realm show': [realmName],
  'user list': [],
  'user show': [user],
  'factor list': [user],
  explain: [user, '--service', 'sshd'],
  audit: [],
  report: [],
  invite: [user, 'alice'],
  'pam show': [],
};

const run = (name: string, columns?: number, ...more: string[]) =>
  runInProcess(['--config', rig.configFile, ...name.split(' '), ...(lines[name] ?? []), ...more], columns);

function fits(text: string, columns: number): void {
  for (const line of text.split('\n')) {
    const words = wordsOf(line.replace(/^ *[A-Z ]+: /, '').replace(/ \\$/, ''));
    assert.ok(widthOf(line) <= columns || words.length === 1, `${columns}: ${line}\n${text}`);
  }
}

/** Every command, with its subcommands. */
function pathsOf(command: Command, path: readonly string[] = []): readonly (readonly string[])[] {
  return [path, ...command.commands.flatMap((one) => pathsOf(one, [...path, one.name()]))];
}

describe('on a terminal', () => {
  for (const columns of [80, 40])
    for (const name of Object.keys(lines))
      test(`${name} fits ${columns} columns and breaks no word`, async () => {
        const { out, err } = await run(name, columns);
        assert.notEqual(out, '', err);
        fits(out, columns);
        fits(err.replaceAll(/^.*\r/gm, ''), columns);
        const piped = (await run(name)).out;
        for (const word of [user, realmName]) assert.equal(out.includes(word), piped.includes(word), out);
      });

  test('the help of every command fits, and a pipe gets it as on a wide one', async () => {
    const paths = pathsOf(programOf(nowhere('9.9.9')).program);
    assert.ok(paths.length > 50);
    for (const path of paths) {
      const piped = (await runInProcess([...path, '--help'])).out;
      for (const columns of [40, 80, 100]) {
        const { out } = await runInProcess([...path, '--help'], columns);
        fits(out, columns);
        assert.deepEqual(helpWords(out), helpWords(piped), path.join(' '));
      }
      assert.equal((await runInProcess([...path, '--help'], 200)).out, piped);
    }
  });

  test('a pipe gets every sentence on one line', async () => {
    const { err } = await runInProcess(['--config', rig.configFile, 'realm', 'show', 'word '.repeat(40)]);
    assert.equal(err.trimEnd().split('\n').length, 1, err);
  });
});

const helpWords = (text: string) => text.split(/\s+/).filter((word) => word !== '' && word !== '\\');
