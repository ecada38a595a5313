import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type ControlClient, ControlError, createClient } from '../../../daemon/client/client.ts';
import { readPortalSetting } from '../../../daemon/client/config.ts';
import { limits } from '../../../daemon/limits.ts';
import { type ControlRig, startControl } from '../../support/control-rig.ts';
import { fob, grant, paper, phone } from '../control/records.ts';

let rig: ControlRig;
let client: ControlClient;
beforeEach(async () => {
  rig = await startControl();
  client = createClient({ socket: rig.socket });
  await rig.store.put('alice', { factors: [phone, fob, paper], grants: [grant] });
});
afterEach(() => rig.close());

const alice = async () => {
  const record = await rig.store.get('alice');
  assert.ok(record);
  return record;
};
const coded = (code: string) => (error: unknown) => error instanceof ControlError && error.code === code;

describe('a change of a factor', () => {
  const changes = [
    ['factor-renamed', (c: ControlClient) => c.renameFactor('alice', 'aaaa', ' tablet ')],
    ['factor-disabled', (c: ControlClient) => c.disableFactor('alice', 'aaaa')],
    ['factor-removed', (c: ControlClient) => c.removeFactor('alice', 'aaaa')],
  ] as const;

  for (const [kind, change] of changes) {
    test(`${kind}: is one commit with its event, and voids grants`, async () => {
      const view = await change(client);
      assert.equal(view.changed, true);
      assert.equal(rig.store.commits.length, 1);
      const [commit] = rig.store.commits;
      assert.equal(commit?.accounts.length, 1);
      assert.equal(commit?.events.length, 1);
      const event = rig.store.trail.at(-1);
      assert.equal(event?.kind, kind);
      assert.equal(event?.outcome, 'done');
      assert.equal(event?.actor, 'uid:0');
      assert.equal(event?.account, 'alice');
      assert.equal(event?.factor?.id, 'aaaa');
      assert.deepEqual((await alice()).grants, []);
      assert.ok(!JSON.stringify([view, event]).includes(phone.secret));
    });

    test(`${kind}: is decided again when another commit comes first`, async () => {
      let others = 3;
      rig.store.beforeCommit = async () => {
        others -= 1;
        if (others > 0) await rig.store.put('alice', { lock: { codes: others, any: others } });
      };
      await change(client);
      const record = await alice();
      assert.deepEqual(record.lock, { codes: 1, any: 1 }, 'what the other one wrote still stands');
      assert.equal(rig.store.trail.length, 1);
    });

    test(`${kind}: fails after repeated conflicts, with a code for it`, async () => {
      rig.store.beforeCommit = () => rig.store.put('alice', {});
      await assert.rejects(change(client), coded('conflict'));
    });

    test(`${kind}: reports a store that cannot be written`, async () => {
      rig.store.breakWrites('ENOSPC');
      await assert.rejects(change(client), coded('store-unwritable'));
    });
  }

  test('without effect leaves no trace', async () => {
    assert.equal((await client.enableFactor('alice', 'aaaa')).changed, false);
    assert.equal((await client.renameFactor('alice', 'aaaa', 'phone')).changed, false);
    assert.equal(rig.store.commits.length, 0);
    assert.equal((await alice()).grants.length, 1);
  });

  test('disabled and enabled again: the factor is unchanged', async () => {
    await client.disableFactor('alice', 'aaaa');
    assert.equal((await alice()).factors[0]?.enabled, false);
    await client.enableFactor('alice', 'aaaa');
    assert.deepEqual((await alice()).factors, [phone, fob, paper]);
    assert.deepEqual(
      rig.store.trail.map(({ kind }) => kind),
      ['factor-disabled', 'factor-enabled'],
    );
  });

  test('trims a name, which is unique in any case, and may change its case', async () => {
    assert.equal(
      (await client.renameFactor('alice', 'aaaa', '  pixel-7 authy ')).factor?.name,
      'pixel-7 authy',
    );
    await assert.rejects(client.renameFactor('alice', 'aaaa', 'FOB'), coded('name-taken'));
    await assert.rejects(client.renameFactor('alice', 'aaaa', 'a\nb'), coded('bad-name'));
    await assert.rejects(client.renameFactor('alice', 'aaaa', ' '), coded('bad-name'));
    assert.equal((await client.renameFactor('alice', 'bbbb', 'Fob')).changed, true);
  });

  test('of a missing factor, or another account’s, is no-such-factor', async () => {
    for (const change of [
      () => client.removeFactor('alice', 'zzzz'),
      () => client.removeFactor('bob', 'aaaa'),
      () => client.disableFactor('alice', ''),
      () => client.renameFactor('alice', '../aaaa', 'x'),
    ])
      await assert.rejects(change, coded('no-such-factor'));
    assert.equal(rig.store.commits.length, 0);
  });

  test('warns if logins are refused from now on, and not otherwise', async () => {
    assert.equal((await client.disableFactor('alice', 'bbbb')).warning, undefined);
    assert.equal((await client.removeFactor('alice', 'cccc')).warning, undefined);
    await assert.rejects(client.disableFactor('alice', 'aaaa'), coded('yes-needed'));
    assert.match((await client.disableFactor('alice', 'aaaa', true)).warning ?? '', /"staff".*refused/);
  });

  test('warns if no factor is asked for any more', async () => {
    await rig.store.put('bob', { factors: [phone] });
    await assert.rejects(client.removeFactor('bob', 'aaaa'), coded('yes-needed'));
    assert.match((await client.removeFactor('bob', 'aaaa', true)).warning ?? '', /no longer asked/);
  });
});

describe('unlock', () => {
  const locked = { codes: 4, any: 10, codesLockedAt: 1_700_000_000_000, lockedAt: 1_700_000_000_000 };

  test('resets both failure counts, clears both lockouts, voids grants', async () => {
    await rig.store.put('alice', { lock: locked });
    assert.deepEqual(await client.unlock('alice'), { account: 'alice', changed: true });
    const { lock, grants, factors } = await alice();
    assert.deepEqual(lock, { codes: 0, any: 0 });
    assert.deepEqual(grants, []);
    assert.deepEqual(factors, [phone, fob, paper]);
    assert.equal(rig.store.trail.at(-1)?.kind, 'unlocked');
  });

  test('of an account without lockout is an event without a record', async () => {
    assert.deepEqual(await client.unlock('carol'), { account: 'carol', changed: false });
    assert.equal(await rig.store.get('carol'), undefined);
    assert.equal(rig.store.trail.at(-1)?.reason, 'was-not-locked');
  });

  test('stores nothing for a name without an account', async () => {
    await assert.rejects(client.unlock('nobody-there'), coded('no-such-account'));
    assert.equal(rig.store.commits.length, 0);
  });
});

describe('views', () => {
  test('of an account: realm, factors without secrets, lockouts', async () => {
    await rig.store.put('alice', { lock: { codes: 4, any: 4, codesLockedAt: 1_700_000_000_000 } });
    const view = await client.user('ALICE');
    assert.equal(view.account, 'alice');
    assert.deepEqual(view.realm, { name: 'staff', line: 2, require: ['totp'], validatesYubikeys: false });
    assert.equal(view.lock.codesLockedAt, 1_700_000_000_000);
    assert.equal(view.remembered, 1);
    assert.equal(view.mayAdd, true);
    assert.deepEqual(
      view.factors.map(({ id, kind, left }) => [id, kind, left]),
      [
        ['aaaa', 'totp', undefined],
        ['bbbb', 'hotp', undefined],
        ['cccc', 'recovery', 2],
      ],
    );
    const text = JSON.stringify(view);
    for (const secret of [phone.secret, fob.secret, paper.salt, 'AA==']) assert.ok(!text.includes(secret));
  });

  test('a lockout lasts at most as long as the realm says, from now, whatever the clock did', async () => {
    const now = Date.now();
    await rig.store.put('alice', { lock: { codes: 0, any: 10, lockedAt: now + 86_400_000 } });
    const until = (await client.user('alice')).lock.lockedUntil ?? 0;
    assert.ok(until <= Date.now() + 3_600_000 && until >= now + 3_600_000);
    await rig.store.put('alice', { lock: { codes: 0, any: 10, lockedAt: now - 3_600_001 } });
    assert.equal((await client.user('alice')).lock.lockedUntil, undefined);
  });

  test('an account that NSS no longer knows can be shown and cleared, and nothing else', async () => {
    await rig.store.put('gone', { factors: [phone] });
    const view = await client.user('gone');
    assert.equal(view.uid, undefined);
    assert.equal(view.realm, undefined);
    assert.match(view.realmProblem ?? '', /no longer knows/);
    await assert.rejects(client.verify('gone', { answer: '123456' }), coded('no-such-account'));
    await assert.rejects(client.explain('gone', { service: 'sshd' }), coded('no-such-account'));
    await assert.rejects(
      client.addFactor('gone', { kind: 'recovery', verify: true }),
      coded('no-such-account'),
    );
    assert.equal((await client.removeFactor('gone', 'aaaa')).changed, true);
  });

  test('accounts are listed page by page, each once, including damaged ones', async () => {
    for (const name of ['a1', 'a2', 'a3']) await rig.store.put(name, {});
    rig.store.damage('a2');
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await client.users(after, 2);
      seen.push(
        ...page.users.map(({ account, damaged }) => (damaged === undefined ? account : `${account}!`)),
      );
      after = page.next;
    } while (after !== undefined);
    assert.deepEqual(seen, ['a1', 'a2!', 'a3', 'alice']);
  });

  test('realms, in order, and one by name', async () => {
    assert.deepEqual(
      (await client.realms()).map(({ name }) => name),
      ['staff', 'everyone'],
    );
    assert.equal((await client.realm('staff')).lockout.codes, 4);
    await assert.rejects(client.realm('Staff'), coded('no-such-realm'));
  });

  test('explain shows a login’s decision and stores nothing', async () => {
    const sshd = await client.explain('alice', { service: 'sshd', from: '::ffff:10.0.0.1' });
    assert.deepEqual([sshd.decision, sshd.realm, sshd.account], ['ask', 'staff', 'alice']);
    const cron = await client.explain('alice', { service: 'cron' });
    assert.deepEqual([cron.decision, cron.why, cron.rule?.line], ['not-needed', 'rule-skip', cron.line]);
    const bob = await client.explain('bob', { service: 'sshd', tty: 'tty1' });
    assert.deepEqual([bob.decision, bob.why], ['not-needed', 'no-factor']);
    await assert.rejects(
      client.explain('bob', { service: 'sshd', from: '10.0.0.999' }),
      coded('bad-request'),
    );
    const named = await client.explain('bob', { service: 'sshd', from: 'host.example' });
    assert.match(named.lines.join('\n'), /from host\.example, which is not an address/);
    assert.equal(rig.store.commits.length, 0);
  });

  test('status reports a failing store, its damage and a configuration that is not active', async () => {
    assert.deepEqual((await client.status()).warnings, []);
    rig.store.findings = ['the record of bob is damaged'];
    rig.store.breakWrites('ENOSPC');
    rig.setConfig('[[realm]]');
    await assert.rejects(client.reload(), coded('config-invalid'));
    const { warnings, config, store } = await client.status();
    assert.equal(warnings.length, 3);
    assert.match(warnings.join('\n'), /unwritable[\s\S]*bob is damaged[\s\S]*not in force/);
    assert.equal(config.realms, 2, 'the last good one');
    assert.equal(store.state, 'unwritable');
  });

  test('reload activates a valid file', async () => {
    rig.setConfig('[[realm]]\nname = "all"\nrequire = "any"\n');
    assert.deepEqual(await client.reload(), { file: rig.configFile, realms: 1, portal: false });
    assert.equal((await client.user('alice')).realm?.name, 'all');
    const realm = '[[realm]]\nname = "rest"\nrequire = "none"\n';
    const portal = '[webauthn]\nrp_id = "localhost"\n[portal]\norigins = ["http://localhost:8866"]\n';
    const issuer = 'issuer = "Example"\n';
    const digestOf = async (text: string): Promise<string> => {
      const file = join(rig.directory, 'portal.toml');
      writeFileSync(file, text);
      const read = await readPortalSetting(file);
      return read.ok ? read.setting.digest : assert.fail(read.problems.join());
    };
    rig.setConfig(`${issuer}${portal}${realm}`);
    assert.equal((await client.reload()).portal, true, 'there is one now');
    assert.equal((await client.reload()).portal, true, 'it has reported nothing yet');
    await client.reportSettings(await digestOf(`${issuer}${portal}${realm}`));
    assert.equal((await client.reload()).portal, false, 'it has read these');
    rig.setConfig(`${issuer}${portal}${realm.replace('"none"', '"any"')}`);
    assert.equal((await client.reload()).portal, false, 'it reads no realms');
    rig.setConfig(`${issuer}${portal}name = "Here"\n${realm}`);
    assert.equal((await client.reload()).portal, true);
    assert.equal((await client.reload()).portal, true, 'as long as it has not read them');
    rig.setConfig(`${issuer}${portal}${realm}`);
    assert.equal((await client.reload()).portal, false, 'it has what is in force again');
    await assert.rejects(client.reportSettings('short'), coded('bad-request'));
  });
});

describe('the audit trail', () => {
  test('is read newest first, by account, by time, by source, in pages', async () => {
    for (const at of [1_000, 2_000, 3_000])
      for (const account of ['alice', 'bob'])
        await rig.store.commit({
          accounts: [],
          events: [{ kind: 'login', outcome: 'success', at, account, reason: 'verified' }],
        });
    const places = async (query: Parameters<ControlClient['audit']>[0]) =>
      (await client.audit(query)).events.map(({ seq }) => seq);
    assert.deepEqual(await places({ limit: 10 }), [6, 5, 4, 3, 2, 1]);
    assert.deepEqual(await places({ limit: 10, user: 'BOB' }), [6, 4, 2]);
    assert.deepEqual(await places({ limit: 10, since: 2_000 }), [6, 5, 4, 3]);
    assert.deepEqual(await places({ limit: 2, from: 4 }), [4, 3]);
    await assert.rejects(client.audit({ limit: limits.pageSize + 1 }), coded('bad-request'));
  });
});

describe('the client', () => {
  test('says what to do if no daemon runs', async () => {
    const away = createClient({ socket: `${rig.directory}/none.sock` });
    await assert.rejects(away.status(), (error: unknown) => {
      assert.ok(error instanceof ControlError);
      assert.equal(error.code, 'daemon-unreachable');
      assert.match(error.message, /none\.sock.*ENOENT.*systemctl start sallyportd/);
      return true;
    });
  });

  test('waits a limited time for a stopped daemon', async () => {
    const stopped = createClient({ socket: rig.socket, timeout: 100 });
    const account = rig.store.account;
    let answer: () => void = () => undefined;
    rig.store.account = () => new Promise((_, reject) => (answer = () => reject(new Error('late'))));
    await assert.rejects(stopped.user('alice'), coded('daemon-unreachable'));
    rig.store.account = account;
    answer();
  });
});

describe('the list of accounts', () => {
  const name = (index: number) => `u${String(index).padStart(4, '0')}`;
  beforeEach(async () => {
    for (let index = 0; index < 400; index += 1) await rig.store.put(name(index), {});
  });
  /** Counts what the store is asked for, and what it returns. */
  const counted = async (ask: () => Promise<unknown>) => {
    const { store } = rig;
    const [page, one] = [store.accounts, store.account];
    let read = 0;
    store.accounts = async (options) => {
      const given = await page.call(store, options);
      read += given.length;
      return given;
    };
    store.account = async (account) => {
      read += 1;
      return one.call(store, account);
    };
    await ask();
    Object.assign(store, { accounts: page, account: one });
    return read;
  };

  test('a page reads as many records as it has lines, and one for the exact name', async () => {
    assert.equal(await counted(() => client.users(undefined, 20)), 20);
    assert.equal(await counted(() => client.users(name(200), 20)), 20);
    assert.ok((await counted(() => client.users(undefined, 20, 'u01'))) <= 21);
    assert.ok((await counted(() => client.users(undefined, 20, name(399)))) <= 21);
    assert.ok((await counted(() => client.users(undefined, 20, 'zebra'))) <= 21);
  });

  test('a search finds names with that prefix, page after page, each once', async () => {
    const found: string[] = [];
    let after: string | undefined;
    do {
      const page = await client.users(after, 30, 'u01');
      found.push(...page.users.map(({ account }) => account));
      after = page.next;
    } while (after !== undefined);
    assert.deepEqual(
      found,
      Array.from({ length: 100 }, (_, index) => name(100 + index)),
    );
    const [one] = (await client.users(undefined, 30, name(7))).users;
    assert.equal(one?.account, name(7));
  });

  test('a damaged record is found, and shown as damaged', async () => {
    rig.store.damage(name(7));
    const { users } = await client.users(undefined, 30, name(7));
    assert.deepEqual(
      users.map(({ account, damaged }) => [account, typeof damaged]),
      [[name(7), 'string']],
    );
  });
});
