import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { createExempting, createExemptionCount } from '../../../daemon/admin/exemptions.ts';
import { createReporting } from '../../../daemon/admin/report.ts';
import { type ControlClient, ControlError, createClient } from '../../../daemon/client/client.ts';
import type { Configuration } from '../../../daemon/config/in-force.ts';
import type { Accounts } from '../../../daemon/host/contract.ts';
import { limits } from '../../../daemon/limits.ts';
import { until } from '../../support/call.ts';
import { runCli } from '../../support/cli-child.ts';
import { type ControlRig, startControl } from '../../support/control-rig.ts';
import { ProbedStore } from '../../support/control-store.ts';
import { recoveryFactor } from '../../support/verifier-rig.ts';
import { fob, phone } from '../control/records.ts';
import { config as configOf, realm } from '../policy/support.ts';

/** Bypass codes, exemptions and the report, over the real socket as root. */

const config = `
[[realm]]
name = "watched"
members = { users = ["alice"] }
require = ["totp"]
observe = true
[[realm]]
name = "new"
members = { users = ["bob"] }
require = "any"
enrol = "grace"
grace = "14d"
[[realm]]
name = "strict"
members = { users = ["carol"] }
require = ["webauthn"]
[[realm]]
name = "everyone"
require = "none"
`;
const { longest } = limits.exemption;

let rig: ControlRig;
let client: ControlClient;
before(async () => {
  rig = await startControl({ config });
  client = createClient({ socket: rig.socket });
});
after(() => rig.close());
beforeEach(async () => {
  for (const name of ['alice', 'bob', 'carol']) {
    const { version } = await rig.store.account(name);
    if (version > 0)
      await rig.store.commit({ accounts: [{ account: name, version, write: null }], events: [] });
  }
});

const refusedAs = (code: string) => (error: unknown) => error instanceof ControlError && error.code === code;

describe('an exemption', () => {
  it('is stored with its beginning, its end and its issuer, in one commit with its event', async () => {
    const at = Date.now() + 3_600_000;
    const { exemption } = await client.exempt('alice', { until: at, services: ['sshd'], reason: 'repair' });
    assert.deepEqual((await rig.store.get('alice'))?.exemption, exemption);
    assert.deepEqual(
      [exemption.until, exemption.by, exemption.services, exemption.reason],
      [at, `uid:${process.getuid?.()}`, ['sshd'], 'repair'],
    );
    const commit = rig.store.commits.at(-1);
    assert.deepEqual(
      commit?.events.map(({ kind, outcome, reason, actor, until: end }) => [
        kind,
        outcome,
        reason,
        actor,
        end,
      ]),
      [['exempted', 'done', 'issued', exemption.by, at]],
    );
    assert.ok(commit?.accounts[0]?.write);
    assert.deepEqual((await client.user('alice')).exemption, exemption);
    assert.deepEqual(
      (await client.users(undefined, 10)).users.find(({ account }) => account === 'alice')?.exemption,
      exemption,
    );
  });

  it('is replaced by a new one, and can be cleared', async () => {
    await client.exempt('alice', { until: Date.now() + 60_000, services: ['sshd'] });
    await client.exempt('alice', { until: Date.now() + 120_000 });
    assert.equal((await rig.store.get('alice'))?.exemption?.services, undefined);
    assert.equal((await client.endExemption('alice')).changed, true);
    assert.equal((await rig.store.get('alice'))?.exemption, undefined);
    const events = rig.store.trail.length;
    assert.equal((await client.endExemption('alice')).changed, false);
    assert.equal(rig.store.trail.length, events);
  });

  it('ends within its limit, and not before it begins', async () => {
    await client.exempt('alice', { until: Date.now() + longest - 1_000 });
    for (const at of [Date.now() + longest + 1_000, Date.now() - 1, 0])
      await assert.rejects(client.exempt('alice', { until: at }), refusedAs('bad-request'), String(at));
  });

  it('accepts only its own fields', async () => {
    const at = Date.now() + 60_000;
    const services = Array.from({ length: limits.exemption.services }, (_, each) => `s${each}`);
    const reason = 'x'.repeat(limits.exemption.reasonLength);
    await client.exempt('alice', { until: at, services, reason });
    for (const body of [
      { until: at, services: [...services, 'one-more'] },
      { until: at, services: [] },
      { until: at, services: [''] },
      { until: at, reason: `${reason}x` },
      { until: at, reason: '' },
      { until: at + 0.5 },
      { until: at, by: 'uid:0' },
      {},
    ])
      await assert.rejects(
        client.exempt('alice', body as never),
        refusedAs('bad-request'),
        JSON.stringify(body),
      );
  });

  it('is reported only while it lasts, and never with a clock that was set back', async () => {
    await client.exempt('alice', { until: Date.now() + 60_000 });
    for (const [ahead, isReported] of [
      [0, true],
      [61_000, false],
      [-3_600_000, false],
    ] as const) {
      rig.clock.ahead = ahead;
      assert.equal((await client.user('alice')).exemption !== undefined, isReported, String(ahead));
      assert.equal((await client.status()).exemptions.running, isReported ? 1 : 0);
    }
    rig.clock.ahead = 0;
  });

  it('is decided again when its commit conflicts', async () => {
    const store = new ProbedStore();
    const exempting = createExempting({
      store,
      accounts: rig.names,
      now: () => 1_000,
      changed: () => undefined,
    });
    let others = 2;
    store.beforeCommit = async () => {
      if (others-- > 0) await store.put('alice', { graceStarted: others + 1 });
    };
    await exempting.exempt('uid:0', 'alice', { until: 2_000 });
    const record = await store.get('alice');
    assert.deepEqual([record?.graceStarted, record?.exemption?.until], [1, 2_000]);
  });

  it('is reported by status', async () => {
    await client.exempt('alice', { until: Date.now() + 60_000 });
    await client.exempt('bob', { until: Date.now() + 60_000 });
    const { exemptions, warnings } = await client.status();
    assert.deepEqual(exemptions, { running: 2, complete: true });
    assert.ok(
      warnings.some((warning) => warning.startsWith('2 accounts are exempt')),
      warnings.join('\n'),
    );
  });
});

describe('counting exemptions', () => {
  it('finds those issued before the start, in more than one batch', async () => {
    const store = new ProbedStore();
    const exemption = { since: 0, until: 2_000, by: 'uid:0' };
    for (let each = 0; each < limits.scrubBatch + 3; each += 1)
      await store.put(`user${each}`, each % 100 === 0 ? { exemption } : {});
    const count = createExemptionCount(store, () => 1_000);
    assert.deepEqual(count.now(), { running: 0, complete: false });
    await until('all records are read', () => count.now().complete);
    assert.equal(count.now().running, 3);
    count.changed('user0', undefined);
    assert.equal(count.now().running, 2);
  });
});

describe('a bypass code', () => {
  it('is valid for an hour by default, and for a day at most', async () => {
    for (const [body, expected] of [
      [{}, limits.bypass.usual],
      [{ forMs: limits.bypass.shortest }, limits.bypass.shortest],
      [{ forMs: limits.bypass.longest }, limits.bypass.longest],
    ] as const) {
      const { factor, bypassCode } = await client.giveBypass('alice', body);
      assert.match(bypassCode, /^\d{3} \d{3} \d{3}$/);
      assert.equal((factor.until ?? 0) - factor.created, expected);
    }
    for (const forMs of [limits.bypass.shortest - 1, limits.bypass.longest + 1, -1, 1e9, 60_000.5])
      await assert.rejects(client.giveBypass('alice', { forMs }), refusedAs('bad-request'), String(forMs));
  });

  it('is one at a time, and does not count as a remaining factor', async () => {
    await rig.store.put('carol', { factors: [] });
    await client.giveBypass('carol', {});
    const { replaced } = await client.giveBypass('carol', {});
    assert.deepEqual(
      replaced.map(({ kind }) => kind),
      ['bypass'],
    );
    const view = await client.user('carol');
    assert.deepEqual(
      view.factors.map(({ kind }) => kind),
      ['bypass'],
    );
    await rig.store.put('alice', { factors: [phone] });
    await client.giveBypass('alice', {});
    const { warning } = await client.disableFactor('alice', phone.id, true);
    assert.match(warning ?? '', /no factor left/);
  });

  it('cannot be added like other factors', async () => {
    for (const kind of ['bypass', 'scratch'])
      await assert.rejects(
        client.addFactor('alice', { kind, verify: false, forMs: 60_000 } as never),
        refusedAs('bad-request'),
      );
  });
});

describe('the report', () => {
  it('states how each account stands, and why', async () => {
    await rig.store.put('alice', { factors: [phone] });
    await rig.store.put('carol', { factors: [phone, fob] });
    rig.names.people.set('dave', 61_004);
    const { lines } = await client.report(['alice', 'bob', 'carol', 'dave', 'gone']);
    assert.deepEqual(
      lines.map(({ account, realm, observed, readiness, why }) => [account, realm, observed, readiness, why]),
      [
        ['alice', 'watched', true, 'ready', 'ask'],
        ['bob', 'new', false, 'grace', 'grace'],
        ['carol', 'strict', false, 'refused', 'no-accepted-factor'],
        ['dave', 'everyone', false, 'off', 'no-factor'],
        ['gone', undefined, false, 'gone', 'gone'],
      ],
    );
  });

  it('counts neither observe mode, nor an exemption, nor a bypass code as ready', async () => {
    await client.exempt('alice', { until: Date.now() + 60_000 });
    await client.giveBypass('alice', {});
    const [line] = (await client.report(['alice'])).lines;
    assert.deepEqual([line?.readiness, line?.why], ['refused', 'no-factor']);
    assert.ok(line?.exemptUntil !== undefined);
  });

  it('does not count accounts with only recovery keys as ready if a factor is required', async () => {
    await rig.store.put('alice', { factors: [recoveryFactor()] });
    await rig.store.put('dave', { factors: [recoveryFactor()] });
    rig.names.people.set('dave', 61_004);
    const { lines } = await client.report(['alice', 'dave']);
    assert.deepEqual(
      lines.map(({ readiness, why }) => [readiness, why]),
      [
        ['recovery-only', 'ask'],
        ['ready', 'ask'],
      ],
    );
    await rig.store.put('alice', { factors: [phone, recoveryFactor()] });
    assert.equal((await client.report(['alice'])).lines[0]?.readiness, 'ready');
    await rig.store.put('dave', { factors: [] });
  });

  it('includes lockouts and damage', async () => {
    const lock = { codes: 8, any: 100, lockedAt: Date.now() };
    await rig.store.put('alice', { factors: [phone], lock });
    assert.equal((await client.report(['alice'])).lines[0]?.why, 'locked');
    rig.names.people.set('erin', 61_005);
    rig.store.damage('erin');
    const [line] = (await client.report(['erin'])).lines;
    assert.deepEqual([line?.readiness, line?.why], ['refused', 'record-damaged']);
  });

  it('changes nothing, and starts no grace period', async () => {
    const events = rig.store.trail.length;
    await client.report(['bob', 'alice']);
    assert.equal(rig.store.trail.length, events);
    assert.equal(await rig.store.get('bob'), undefined);
  });

  it('says so while the name service is unavailable', async () => {
    rig.names.away = true;
    const { lines } = await client.report(['alice']);
    rig.names.away = false;
    assert.deepEqual([lines[0]?.readiness, lines[0]?.why], ['unknown', 'accounts-unavailable']);
  });

  it('accepts a limited number of names, and looks up few at once', async () => {
    const most = Array.from({ length: limits.reportAccounts }, (_, each) => `user${each}`);
    rig.names.most = 0;
    assert.equal((await client.report(most)).lines.length, limits.reportAccounts);
    assert.ok(rig.names.most <= limits.reportAtOnce, String(rig.names.most));
    await assert.rejects(client.report([...most, 'one-more']), refusedAs('bad-request'));
    await assert.rejects(client.report(['']), refusedAs('bad-request'));
    assert.deepEqual((await client.report([])).lines, []);
  });

  it('leaves NSS to logins however many request one, with accounts being moved concurrently', async () => {
    rig.names.slow = 5;
    rig.names.most = 0;
    const names = Array.from({ length: 12 }, (_, each) => `user${each}`);
    await Promise.all(Array.from({ length: 4 }, () => client.report(names)));
    rig.names.slow = 0;
    assert.ok(rig.names.most <= limits.reportAtOnce, String(rig.names.most));
    assert.ok(limits.reportAtOnce + limits.movingLookups < limits.nssThreads);
  });

  it('ends while the name service hangs, and names the unknown accounts', async () => {
    let asked = 0;
    const accounts: Accounts = {
      byName: async () => {
        asked += 1;
        await new Promise((resolve) => setTimeout(resolve, 20));
        return { status: 'unavailable', why: 'no answer' };
      },
      byUid: async () => ({ status: 'absent' }),
    };
    const configuration: Partial<Configuration> = { current: () => configOf(realm()) };
    const reporting = createReporting({
      accounts,
      configuration: configuration as Configuration,
      store: new ProbedStore(),
      now: Date.now,
      bootId: '',
      reportWait: 10,
    });
    const { lines } = await reporting.report(Array.from({ length: 200 }, (_, each) => `user${each}`));
    assert.equal(lines.length, 200);
    assert.ok(lines.every(({ readiness, why }) => readiness === 'unknown' && why === 'accounts-unavailable'));
    assert.ok(asked <= limits.reportAtOnce, String(asked));
  });
});

describe('sallyport', () => {
  const cli = (...words: string[]) => runCli(['--config', rig.configFile, ...words]);
  const login = (account: string, part: object) =>
    rig.store.commit({
      accounts: [],
      events: [
        {
          kind: 'login',
          at: Date.now(),
          account,
          service: 'sshd',
          firstFactorVerified: true,
          outcome: 'observed',
          reason: 'ask',
          ...part,
        } as never,
      ],
    });

  it('report: all listed or known accounts, the worst first, in columns and as JSON', async () => {
    await rig.store.put('alice', { factors: [phone] });
    await login('alice', {
      would: 'ask',
      reason: 'rule-refuse',
      service: 'su',
      at: Date.now() - 9 * 86_400_000,
    });
    await login('alice', { would: 'ask' });
    await login('alice', { would: 'refused', reason: 'rule-refuse', service: 'su' });
    await login('alice', { would: 'ask', reason: 'ask', service: 'su' });
    await login('carol', { would: 'refused', reason: 'no-factor', service: 'sudo' });
    const { lines, err, status } = await cli('report');
    assert.equal(status, 0, err);
    const [first, ...rest] = lines.map((line) => line.split('\t'));
    assert.deepEqual(
      [first?.[0], first?.[1], first?.[2], first?.[3], first?.[5], first?.[6]],
      ['carol', 'strict', 'refused', 'no-factor', 'sudo', 'sudo: no-factor'],
    );
    const alice = rest.find(([name]) => name === 'alice');
    assert.deepEqual(
      [alice?.[1], alice?.[2], alice?.[5], alice?.[6], alice?.[7]],
      ['watched (observe mode)', 'ready', 'sshd,su', '-', 'totp'],
    );
    assert.match(err, /1 account would be refused.*1 account is ready/);
    const json = JSON.parse((await cli('report', '--realm', 'strict', '--json')).out);
    assert.deepEqual(
      json.accounts.map(({ account }: { account: string }) => account),
      ['carol'],
    );
    assert.equal(json.totals.refused, 1);
    const older = JSON.parse((await cli('report', '--since', '30d', '--json', '--realm', 'watched')).out);
    assert.equal(older.accounts[0].logins, 4);
  });

  it('report: an unknown realm and invalid times are errors', async () => {
    assert.notEqual((await cli('report', '--realm', 'nowhere')).status, 0);
    assert.equal((await cli('report', '--since', 'soon')).status, 2);
  });

  it('user exempt: one of its three forms, within its limits', async () => {
    for (const words of [
      [],
      ['--for', '1h', '--clear'],
      ['--until', '2026-13-01'],
      ['--for', '31d'],
      ['--for', '10s'],
    ])
      assert.equal((await cli('user', 'exempt', 'alice', ...words)).status, 2, words.join(' '));
    const given = await cli(
      'user',
      'exempt',
      'alice',
      '--for',
      '30d',
      '--service',
      'sshd',
      '--service',
      'su',
    );
    assert.equal(given.status, 0, given.err);
    assert.deepEqual((await rig.store.get('alice'))?.exemption?.services, ['sshd', 'su']);
    assert.match((await cli('user', 'list')).out, /^alice\t.*\d{4}-\d\d-\d\dT/m);
    assert.match((await cli('user', 'exempt', 'alice', '--clear')).err, /no longer exempt/);
    assert.match((await cli('user', 'exempt', 'alice', '--clear')).err, /was not exempt/);
  });

  it('factor add bypass: only the code on standard output', async () => {
    const given = await cli('factor', 'add', 'bypass', 'alice', '--for', '2h');
    assert.equal(given.status, 0, given.err);
    assert.match(given.out, /^\d{3} \d{3} \d{3}\n$/);
    assert.ok(!given.err.includes(given.out.trim()));
    for (const time of ['25h', '59s', 'soon'])
      assert.equal((await cli('factor', 'add', 'bypass', 'alice', '--for', time)).status, 2, time);
    const json = JSON.parse((await cli('factor', 'add', 'bypass', 'alice', '--json')).out);
    assert.match(json.bypassCode, /^\d{3} \d{3} \d{3}$/);
    assert.match(
      (await cli('factor', 'list', 'alice')).out,
      /bypass\tBypass code\tenabled.*one login, until/,
    );
  });
});
