import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Command } from 'commander';
import type { World } from '../../../../cli/lib/environment.ts';
import { noTimes, withTimes } from '../../../../cli/lib/json-times.ts';
import { parseDate } from '../../../../cli/lib/time.ts';
import { programOf } from '../../../../cli/program.ts';
import { runInProcess } from '../../../support/cli-in-process.ts';
import { type ControlRig, startControl } from '../../../support/control-rig.ts';
import { fob, grant, paper, phone } from '../../control/records.ts';

/** Scripts read times in one format, whichever command writes them. */

const config = `

[[realm]]
name = "staff"
members = { users = ["alice"] }
require = ["totp"]
enrol = "grace"
grace_until = 2030-01-01

[[realm]]
name = "everyone"
require = "none"
`;
const now = Date.now();
let rig: ControlRig;
before(async () => {
  rig = await startControl({ config });
  await rig.store.put('alice', {
    uid: 61_001,
    factors: [phone, { ...fob, lastUsed: now }, paper],
    grants: [grant],
    graceStarted: now - 1_000,
    lock: { codes: 4, any: 10, codesLockedAt: now, lockedAt: now },
    lastLogin: { at: now, service: 'sshd' },
    exemption: { since: now - 1_000, until: now + 86_400_000, by: 'uid:0' },
  });
  await rig.store.commit({
    accounts: [],
    events: [
      {
        at: now,
        account: 'alice',
        kind: 'exempted',
        outcome: 'done',
        reason: 'issued',
        until: now + 86_400_000,
      },
      { at: now, account: 'alice', kind: 'login', outcome: 'success', reason: 'verified', service: 'sshd' },
    ],
  });
});
after(() => rig.close());

/** Times that each command prints, by their path: all that may occur. */
const printed: Readonly<
  Record<string, { readonly words: readonly string[]; readonly times: readonly string[] }>
> = {
  status: { words: [], times: ['started', 'now', 'config.loaded'] },
  doctor: { words: [], times: ['at'] },
  'realm list': { words: [], times: ['realms.graceUntil'] },
  'realm show': { words: ['staff'], times: ['graceUntil'] },
  'user list': {
    words: [],
    times: [
      'users.lastLogin.at',
      'users.lock.codesLockedAt',
      'users.exemption.since',
      'users.exemption.until',
    ],
  },
  'user show': {
    words: ['alice'],
    times: [
      ...['created', 'graceStarted', 'lastLogin.at', 'factors.created', 'factors.lastUsed'],
      ...['lock.codesLockedAt', 'lock.lockedUntil', 'exemption.since', 'exemption.until'],
    ],
  },
  'factor list': { words: ['alice'], times: ['factors.created', 'factors.lastUsed'] },
  explain: { words: ['alice', '--service', 'sshd'], times: [] },
  report: { words: [], times: ['since', 'accounts.lastSeen'] },
  invite: { words: ['bob'], times: ['invited.expires'] },
  'user exempt': { words: ['bob', '--for', '1h'], times: ['exemption.since', 'exemption.until'] },
  'factor add bypass': { words: ['alice'], times: ['factor.created', 'factor.until'] },
  audit: { words: [], times: ['at', 'until'] },
  'pam show': { words: [], times: [] },
};

/** They need a daemon with a store on a disk, or a password; their output has the same types. */
const elsewhere = [
  'audit verify',
  'backup',
  'restore',
  'store check',
  'store repair',
  'master-key list',
  'portal link',
];

/** Paths and values of everything that is not an object. */
function leavesOf(value: unknown, path = ''): readonly (readonly [string, unknown])[] {
  if (Array.isArray(value)) return value.flatMap((each) => leavesOf(each, path));
  if (typeof value !== 'object' || value === null) return [[path, value]];
  return Object.entries(value).flatMap(([key, each]) => leavesOf(each, path === '' ? key : `${path}.${key}`));
}

const noWorld = { input: {}, output: {}, error: {}, environment: {}, version: '9.9.9' } as unknown as World;
const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('JSON', () => {
  for (const [name, { words, times }] of Object.entries(printed))
    test(`${name} --json has its times in ISO 8601, in UTC`, async () => {
      const { out, err } = await runInProcess([
        ...['--config', rig.configFile],
        ...name.split(' '),
        ...words,
        '--json',
      ]);
      const values =
        name === 'audit'
          ? out
              .trim()
              .split('\n')
              .map((line) => JSON.parse(line))
          : JSON.parse(out);
      const leaves = leavesOf(values);
      for (const [path, value] of leaves)
        assert.ok(typeof value !== 'number' || value < 1e11, `${path}: ${value}\n${err}`);
      for (const wanted of times) {
        const found = leaves.filter(([path]) => path === wanted);
        assert.notEqual(found.length, 0, `${wanted}\n${out}`);
        for (const [, value] of found) assert.match(String(value), iso, wanted);
      }
    });

  test('the times of every command with --json are listed here', () => {
    const { program } = programOf(noWorld);
    const named = (command: Command, path: string): readonly string[] => [
      ...(command.options.some(({ long }) => long === '--json') ? [path] : []),
      ...command
        .createHelp()
        .visibleCommands(command)
        .flatMap((one) => named(one, `${path} ${one.name()}`.trim())),
    ];
    const known = new Set([...Object.keys(printed), ...elsewhere]);
    const unknown = named(program, '').filter((one) => !known.has(one) && !one.startsWith('import '));
    assert.deepEqual(unknown, []);
  });
});

test('a pipe has the same format', async () => {
  const { out } = await runInProcess(['--config', rig.configFile, 'factor', 'list', 'alice']);
  assert.match(out.split('\t')[4] ?? '', iso);
  assert.equal(parseDate(out.split('\t')[4] ?? ''), phone.created);
});

test('only listed values are times; impossible values stay unchanged', () => {
  const value = { at: 0, many: [{ at: 1e12, seq: 1e12 }], none: null, text: 'x', far: 9e15 };
  assert.deepEqual(
    withTimes(value, { at: 'time', many: { at: 'time' }, none: 'time', text: 'time', far: 'time' }),
    {
      at: '1970-01-01T00:00:00.000Z',
      many: [{ at: '2001-09-09T01:46:40.000Z', seq: 1e12 }],
      none: null,
      text: 'x',
      far: '9000000000000000',
    },
  );
  assert.deepEqual(withTimes(value, noTimes), value);
  const nasty = JSON.parse('{"__proto__": {"at": 1}, "constructor": 2}');
  assert.deepEqual(withTimes(nasty, noTimes), nasty);
});
