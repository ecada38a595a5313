import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { totp } from '../support/codes.ts';
import { DaemonRig } from '../support/daemon-rig.ts';
import { pam } from '../support/login-rig.ts';
import { u32 } from '../support/module-frames.ts';
import { projectRoot } from '../support/project.ts';
import { until } from '../support/until.ts';

/** A real sallyportd, real logins, and every way to read what they recorded. */
let rig: DaemonRig;
const directory = mkdtempSync(join(tmpdir(), 'sallyport-audit-'));

before(async () => {
  rig = await DaemonRig.start();
  const secret = await rig.addTotp('root');
  await rig.addTotp('daemon');
  const [paper = ''] = await rig.addRecovery('daemon');
  const sshd = { service: 'sshd', tty: 'ssh' };
  assert.equal(await rig.login({ ...sshd, user: 'root', rhost: '192.0.2.7' }, totp(secret)), pam.success);
  await rig.login({ ...sshd, user: 'root', rhost: '192.0.2.7' }, '000000');
  await rig.login({ ...sshd, user: 'daemon', rhost: '198.51.100.9' }, '000000');
  for (let wrong = 0; wrong < 2; wrong += 1) await rig.login({ service: 'sudo', user: 'daemon' }, '000000');
  await rig.login({ service: 'sudo', user: 'daemon' }, paper);
  // Forgeries: a name that looks like a line, an rhost that looks like an address, a user's own program.
  await rig.login({ ...sshd, user: 'root', rhost: 'x from=203.0.113.9 service="sshd"' }, '000000');
  await rig.login({ ...sshd, user: 'root', rhost: '203.0.113.9 x' }, '000000');
  const service = 'sshd"\nsallyport-audit: login refused reason=wrong from=203.0.113.9 service="x';
  await rig.login({ service: service.slice(0, 64), user: 'root', rhost: 'name.example' }, '000000');
  await rig.login(
    { service: 'vlock', user: 'root', rhost: '203.0.113.9', realUid: u32(0) },
    '000000',
    'pam-user.sock',
  );
  await rig.login({ ...sshd, user: 'nobody', rhost: '203.0.113.9' }, '000000');
  const { last } = (await rig.client.status()).store.events;
  await until(() => rig.auditLines().some((line) => line.endsWith(` seq=${last}`)), 60_000);
});
after(async () => {
  await rig.remove();
  rmSync(directory, { recursive: true, force: true });
});

const accountsOf = (lines: readonly string[]) => lines.map((line) => line.split('\t')[2]);

describe('sallyport audit', () => {
  it('finds events by each filter, and by all of them at once', async () => {
    const of = async (...words: string[]) => (await rig.cli(['audit', ...words])).lines;
    const everything = await of();
    assert.ok(everything.length > 12, `${everything.length}`);
    const fromNetwork = await of('--source', '198.51.100.0/24', '--kind', 'login', '--outcome', 'refused');
    assert.deepEqual(accountsOf(fromNetwork), ['daemon']);
    assert.equal((await of('--service', 'sudo', '--outcome', 'refused')).length, 2);
    assert.deepEqual(await of('--realm', 'others'), []);
    assert.deepEqual(await of('--until', '1d'), []);
    assert.equal((await of('--since', '1d', '--until', '0s')).length, everything.length);
    assert.equal((await of('--all')).length, everything.length);
    const clash = await rig.cli(['audit', '--follow', '--until', '1d']);
    assert.deepEqual([clash.status, /--until/.test(clash.err)], [2, true]);
    const network = await rig.cli(['audit', '--source', '10.0.0.1/8']);
    assert.match(network.err, /"source"/);
    assert.equal((await rig.cli(['audit', '--kind', 'nothing'])).status, 2);
  });

  it('reports what locked an account, and how many recovery keys are left', async () => {
    const { lines } = await rig.cli(['audit', '--user', 'daemon', '--json']);
    const events = lines.map((line) => JSON.parse(line));
    assert.deepEqual(
      events.filter(({ locked }) => locked !== undefined).map(({ locked, service }) => [locked, service]),
      [['codes', 'sudo']],
    );
    assert.deepEqual(
      events
        .filter(({ remaining }) => remaining !== undefined)
        .map(({ remaining, outcome }) => [remaining, outcome]),
      [[9, 'success']],
    );
  });

  it('verifies the chain, and a chain hash that was noted before', async () => {
    const whole = await rig.cli(['audit', 'verify']);
    assert.equal(whole.status, 0, whole.err);
    const noted = /^newest\t(\d+:[0-9a-f]{64})$/m.exec(whole.out)?.[1] ?? '';
    await rig.login({ service: 'sudo', user: 'root' }, '000000');
    assert.equal((await rig.cli(['audit', 'verify', '--expect', noted])).status, 0);
    const other = `${noted.slice(0, -1)}${noted.endsWith('0') ? '1' : '0'}`;
    const refused = await rig.cli(['audit', 'verify', '--expect', other, '--json']);
    assert.deepEqual([refused.status, JSON.parse(refused.out).expected], [1, 'wrong']);
    const beyond = await rig.cli(['audit', 'verify', '--expect', `99999${noted.slice(noted.indexOf(':'))}`]);
    assert.equal(beyond.status, 1);
    assert.match((await rig.cli(['audit', 'verify', '--json'])).out, /"faults": 0/);
  });
});

describe('fail2ban', () => {
  const filter = join(projectRoot, 'pam-config/fail2ban/filter.d/sallyport.conf');

  /** The addresses that fail2ban would count, from lines as syslog and the journal contain them. */
  function counted(prefix: (line: string) => string): readonly string[] {
    const log = join(directory, 'log');
    writeFileSync(
      log,
      rig
        .lines()
        .map((line) => `${prefix(line)}\n`)
        .join(''),
    );
    const { stdout, stderr } = spawnSync(
      'fail2ban-regex',
      ['--verbose', '--print-all-matched', log, filter],
      {
        encoding: 'utf8',
      },
    );
    assert.match(stdout, /Failregex: \d+ total/, stderr);
    return [...stdout.matchAll(/^\|\s+([0-9a-f.:]+)\s+\w{3} \w{3} \d\d /gm)]
      .map(([, address = '']) => address)
      .sort();
  }

  for (const [what, prefix] of [
    ['syslog', 'Nov 24 19:00:00 host sallyportd[123]: '],
    ['the journal', '2026-11-24T19:00:00.000000 host sallyportd[123]: '],
    ['the journal without a name of ours', '2026-11-24T19:00:00.000000 host node[123]: '],
  ] as const)
    it(`counts wrong answers from other machines, and no forged lines, in lines of ${what}`, () => {
      assert.deepEqual(
        counted((line) => `${prefix}${line}`),
        ['192.0.2.7', '198.51.100.9'],
      );
    });

  it('matches the lines of the addresses to block', () => {
    const lines = rig.auditLines().join('\n');
    assert.match(lines, /rhost="x\\x20from\\x3d203\.0\.113\.9/);
    assert.match(lines, /rhost="203\.0\.113\.9\\x20x"/);
    assert.match(lines, /service="sshd\\x22/);
    assert.match(lines, /actor="uid:0"/);
    assert.match(lines, /refused reason=no-factor from=203\.0\.113\.9/);
  });
});
