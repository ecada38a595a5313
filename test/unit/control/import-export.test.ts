import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { ImportEntry, ImportedAccount, PortableFactor } from '../../../daemon/api/account-views.ts';
import { type ControlClient, ControlError, createClient } from '../../../daemon/client/client.ts';
import { limits } from '../../../daemon/limits.ts';
import { hotp, totp } from '../../support/codes.ts';
import { type ControlRig, startControl, uids } from '../../support/control-rig.ts';
import { otp, programmed } from '../../support/yubikey.ts';
import { fob, grant, phone } from './records.ts';

const seed = Buffer.from('12345678901234567890');
const other = Buffer.from('another seed of 20 b');
const base = { enabled: true, digits: 6, algorithm: 'sha1' } as const;
/** The rig's clock, five seconds into a step, so that no test crosses the end of one. */
const now = () => Date.now() + rig.clock.ahead;
const stepNow = () => Math.floor(now() / 30_000);
const code = (step = 0) => totp(seed, { at: now(), step });
const moved = (mark: number | 'now', secret = seed): PortableFactor => ({
  ...base,
  kind: 'totp',
  secret: secret.toString('base64'),
  period: 30,
  mark,
  drift: 0,
});
const counted = (counter: number, secret = seed): PortableFactor => ({
  ...base,
  kind: 'hotp',
  secret: secret.toString('base64'),
  counter,
});
const stick = (lastPress: number): PortableFactor => ({
  kind: 'yubikey',
  validation: 'local',
  enabled: true,
  publicId: programmed.publicId,
  privateId: programmed.privateId.toString('base64'),
  secret: programmed.aesKey.toString('base64'),
  lastPress,
});
const scratch = (...codes: readonly string[]): PortableFactor => ({ kind: 'scratch', enabled: true, codes });

let rig: ControlRig;
let client: ControlClient;
const start = async (config?: string) => {
  rig = await startControl(config === undefined ? {} : { config });
  rig.clock.ahead = 35_000 - (Date.now() % 30_000);
  client = createClient({ socket: rig.socket });
};
beforeEach(() => start());
afterEach(() => rig.close());

const take = (entries: readonly ImportEntry[], dryRun = false) =>
  client.import({ source: 'oath', dryRun, entries });
const takeOne = async (user: string, ...factors: readonly PortableFactor[]): Promise<ImportedAccount> => {
  const [said] = await take([{ user, factors }]);
  assert.ok(said);
  return said;
};
const outcomes = ({ factors }: ImportedAccount) => factors.map(({ outcome }) => outcome);
const codes = ({ factors }: ImportedAccount) => factors.map((one) => ('code' in one ? one.code : ''));
const verify = async (user: string, answer: string) => (await client.verify(user, { answer })).outcome;
const factorsOf = async (user: string) => (await rig.store.get(user))?.factors ?? [];

describe('codes used there are used here', () => {
  test('TOTP: the last used step and all below it are refused, the next one is accepted once', async () => {
    await takeOne('bob', moved(stepNow()));
    assert.equal(await verify('bob', code()), 'refused');
    assert.equal(await verify('bob', code(-1)), 'refused');
    assert.equal(await verify('bob', code(1)), 'accepted');
    assert.equal(await verify('bob', code(1)), 'refused');
  });

  test('TOTP without a last used step: all steps up to now are used', async () => {
    await takeOne('bob', moved('now'));
    assert.equal(await verify('bob', code()), 'refused');
    assert.equal(await verify('bob', code(1)), 'accepted');
  });

  test('TOTP: a skew is imported, and applied to the last used step', async () => {
    await takeOne('bob', { ...moved('now'), drift: 5 } as PortableFactor);
    assert.equal(await verify('bob', code(5)), 'refused');
    assert.equal(await verify('bob', code(6)), 'accepted');
    const said = await takeOne('carol', { ...moved(-1), drift: 11 } as PortableFactor);
    assert.deepEqual(codes(said), ['clock-skew']);
  });

  test('TOTP: a last used step in the far future is a clock error, and locks out no account', async () => {
    assert.deepEqual(codes(await takeOne('bob', moved(stepNow() + 1_000))), ['bad-mark']);
    assert.deepEqual(await factorsOf('bob'), []);
  });

  test('HOTP: counters below the next one are refused', async () => {
    await takeOne('bob', counted(5));
    assert.equal(await verify('bob', hotp(seed, 4)), 'refused');
    assert.equal(await verify('bob', hotp(seed, 5)), 'accepted');
  });

  test('YubiKeys: the press, for every account that has the key', async () => {
    await takeOne('bob', stick(5 * 256 + 3));
    assert.equal(await verify('bob', otp({ use: 5, session: 3 })), 'refused');
    await takeOne('carol', stick(-1));
    assert.equal(await verify('carol', otp({ use: 5, session: 2 })), 'refused');
    assert.equal(await verify('carol', otp({ use: 5, session: 4 })), 'accepted');
    assert.equal(await verify('bob', otp({ use: 5, session: 4 })), 'refused');
    // A later import of a lower one changes neither.
    assert.deepEqual(outcomes(await takeOne('bob', stick(2))), ['unchanged']);
  });

  test('scratch codes: hashed, each once, and never again by a second import', async () => {
    const said = await takeOne('bob', moved('now'), scratch('12345678', '87654321'));
    assert.deepEqual(outcomes(said), ['added', 'added']);
    assert.ok(!JSON.stringify(await rig.store.get('bob')).includes('12345678'));
    assert.equal(await verify('bob', '12345678'), 'accepted');
    assert.equal(await verify('bob', '12345678'), 'refused');
    const again = await takeOne('bob', moved('now'), scratch('12345678', '87654321'));
    assert.deepEqual(outcomes(again), ['unchanged', 'unchanged']);
    assert.equal(await verify('bob', '12345678'), 'refused');
    const set = (await factorsOf('bob')).find(({ kind }) => kind === 'scratch');
    await client.removeFactor('bob', set?.id ?? '');
    assert.deepEqual(outcomes(await takeOne('bob', moved('now'), scratch('12345678'))), [
      'unchanged',
      'unchanged',
    ]);
    assert.equal(await verify('bob', '12345678'), 'refused');
  });

  test('scratch codes used there since are used here too; others stay', async () => {
    await takeOne('bob', moved('now'), scratch('12345678', '87654321'));
    assert.deepEqual(outcomes(await takeOne('bob', moved('now'), scratch('87654321'))), [
      'unchanged',
      'raised',
    ]);
    assert.equal(await verify('bob', '12345678'), 'refused');
    assert.equal(await verify('bob', '87654321'), 'accepted');
    assert.deepEqual(codes(await takeOne('carol', scratch('11111111'), scratch('22222222'))), [
      '',
      'set-exists',
    ]);
  });

  test('recovery keys of the reference system: usable as printed, without the used ones', async () => {
    const secret = '0011223344556677';
    const hashed = (key: string) => createHmac('sha256', secret).update(key).digest('hex');
    const keys = ['0123-4567-89ab-cdef', 'ffff-ffff-ffff-ffff'];
    const set = (hashes: readonly (string | null)[]): PortableFactor => ({
      kind: 'recovery',
      enabled: true,
      secret,
      hashes,
    });
    assert.equal(hashed(keys[0] ?? ''), '6ddff9ef3a11c7a64439faffddf663ac89b4a5e6bf5b14bd7189211ce71003a7');
    await takeOne('bob', moved(-1), set([hashed(keys[0] ?? ''), null, hashed(keys[1] ?? '')]));
    assert.equal(await verify('bob', keys[0] ?? ''), 'accepted');
    const again = set([hashed(keys[0] ?? ''), null, hashed(keys[1] ?? '')]);
    assert.deepEqual(outcomes(await takeOne('bob', again)), ['unchanged']);
    assert.equal(await verify('bob', keys[0] ?? ''), 'refused');
    assert.deepEqual(outcomes(await takeOne('bob', set([null, null, null]))), ['raised']);
    assert.equal(await verify('bob', keys[1] ?? ''), 'refused');
    assert.deepEqual(
      codes(await takeOne('bob', { ...again, secret: '8899aabbccddeeff' } as PortableFactor)),
      ['set-exists'],
    );
  });
});

describe('existing factors', () => {
  test('are left unchanged: a second import has no effect, and leaves no trace', async () => {
    const entry = { user: 'bob', factors: [moved('now'), counted(7, other), stick(9)] };
    await take([entry]);
    const before = await rig.store.get('bob');
    const trail = rig.store.trail.length;
    // A drift guessed at the first import is not guessed again.
    rig.clock.ahead += 10 * 30_000;
    const [said] = await take([entry]);
    assert.deepEqual(said, {
      account: 'bob',
      outcome: 'unchanged',
      locked: false,
      factors: [
        { kind: 'totp', name: 'TOTP', outcome: 'unchanged' },
        { kind: 'hotp', name: 'HOTP', outcome: 'unchanged' },
        { kind: 'yubikey', name: 'YubiKey', outcome: 'unchanged' },
      ],
    });
    assert.deepEqual(await rig.store.get('bob'), before);
    assert.equal(rig.store.trail.length, trail);
  });

  test('accept a higher counter, never a lower one', async () => {
    await rig.store.put('bob', {
      factors: [
        { ...phone, lastStep: stepNow() - 5 },
        { ...fob, counter: 40 },
      ],
    });
    const low = await takeOne('bob', moved(stepNow() - 9), counted(3, other));
    assert.deepEqual(outcomes(low), ['unchanged', 'unchanged']);
    const high = await takeOne('bob', moved(stepNow() - 1), counted(50, other));
    assert.deepEqual(outcomes(high), ['raised', 'raised']);
    const [first, second] = await factorsOf('bob');
    assert.deepEqual(
      [first?.kind === 'totp' && first.lastStep, second?.kind === 'hotp' && second.counter],
      [stepNow() - 1, 50],
    );
    assert.deepEqual([first?.name, first?.id], [phone.name, phone.id]);
    assert.deepEqual(
      rig.store.trail.map(({ kind, reason }) => [kind, reason]),
      [
        ['imported', 'counter-raised'],
        ['imported', 'counter-raised'],
      ],
    );
  });

  test('never contain one secret twice, whatever it is used for', async () => {
    await rig.store.put('bob', { factors: [phone] });
    const same = Buffer.concat([seed, Buffer.alloc(2)]);
    const said = await takeOne(
      'bob',
      counted(0),
      { ...moved(-1), digits: 8 } as PortableFactor,
      moved(-1, same),
    );
    assert.deepEqual(codes(said), ['other-settings', 'other-settings', '']);
    assert.equal((await factorsOf('bob')).length, 1);
  });

  test('grants end, names are made unique, flags and times are kept', async () => {
    await rig.store.put('bob', { factors: [phone], grants: [grant] });
    const name = `PHONE\x1b[31m ${'x'.repeat(100)}`;
    await takeOne(
      'bob',
      { ...counted(1, other), name: 'Phone', created: 5, enabled: false },
      { ...stick(-1), name },
    );
    const record = await rig.store.get('bob');
    const [, second, third] = record?.factors ?? [];
    assert.deepEqual(record?.grants, []);
    assert.deepEqual([second?.name, second?.created, second?.enabled], ['Phone 2', 5, false]);
    assert.match(third?.name ?? '', /^PHONE \[31m x+$/);
    assert.ok((third?.name.length ?? 0) <= limits.factorNameLength);
  });
});

describe('rejected imports', () => {
  test('a name without an account leaves nothing, and stops no other', async () => {
    const [nobody, bob] = await take([
      { user: 'nobody-at-all', factors: [moved(-1)] },
      { user: 'bob', factors: [moved(-1)] },
    ]);
    assert.equal(nobody?.code, 'no-such-account');
    assert.equal(bob?.outcome, 'added');
    assert.deepEqual(
      rig.store.commits.map(({ accounts }) => accounts.map(({ account }) => account)),
      [['bob']],
    );
  });

  test('names are canonical, uids work too', async () => {
    const said = await take([
      { user: 'BOB', factors: [moved(-1)] },
      { owner: uids.carol, factors: [moved(-1)] },
    ]);
    assert.deepEqual(
      said.map(({ account }) => account),
      ['bob', 'carol'],
    );
  });

  test("a file of another user's applies only to its owner", async () => {
    const [said] = await take([{ user: 'bob', owner: uids.carol, factors: [moved(-1)] }]);
    assert.equal(said?.code, 'wrong-owner');
    assert.equal(rig.store.commits.length, 0);
  });

  test('an unavailable NSS rejects, and says so', async () => {
    rig.names.away = true;
    assert.equal((await takeOne('bob', moved(-1))).code, 'accounts-unavailable');
  });

  test('a damaged record affects only its account', async () => {
    rig.store.damage('bob');
    const said = await take([
      { user: 'bob', factors: [moved(-1)] },
      { user: 'carol', factors: [moved(-1)] },
    ]);
    assert.deepEqual(
      said.map(({ outcome, code }) => [outcome, code]),
      [
        ['refused', 'record-damaged'],
        ['added', undefined],
      ],
    );
  });

  test('a store that cannot be written accepts nothing', async () => {
    rig.store.breakWrites('ENOSPC');
    assert.equal((await takeOne('bob', moved(-1))).code, 'store-unwritable');
  });

  test('a realm of YubiKeys accepts no other kind (R8) except recovery keys', async () => {
    await rig.close();
    await start('[[realm]]\nname = "keys"\nrequire = ["yubikey"]\n');
    const recovery: PortableFactor = {
      kind: 'recovery',
      enabled: true,
      secret: '0011223344556677',
      hashes: ['00'.repeat(32)],
    };
    const said = await takeOne('bob', moved(-1), counted(0, other), scratch('12345678'), recovery, stick(-1));
    assert.deepEqual(codes(said), [
      'factor-kind-not-allowed',
      'factor-kind-not-allowed',
      'factor-kind-not-allowed',
      '',
      '',
    ]);
    assert.deepEqual(
      (await factorsOf('bob')).map(({ kind }) => kind),
      ['recovery', 'yubikey'],
    );
  });

  test('security keys: those of our relying party, and legacy ones of any', async () => {
    const key = {
      enabled: true,
      algorithm: 'es256',
      publicKey: Buffer.alloc(64, 3).toString('base64'),
    } as const;
    const entry: readonly PortableFactor[] = [
      { ...key, kind: 'webauthn', credentialId: 'AAAA', counter: 9, rpId: 'example.org' },
      { ...key, kind: 'u2f', credentialId: 'BBBB', appId: 'pam://host', verified: false },
      { ...key, kind: 'u2f', credentialId: 'CCCC', appId: 'pam://host', verified: false, publicKey: 'AAAA' },
    ];
    assert.deepEqual(codes(await takeOne('bob', ...entry)), ['no-relying-party', '', 'bad-secret']);
    await rig.close();
    await start('[webauthn]\nrp_id = "example.org"\n[[realm]]\nname = "all"\nrequire = "none"\n');
    assert.deepEqual(outcomes(await takeOne('bob', ...entry)), ['added', 'added', 'refused']);
    assert.deepEqual(outcomes(await takeOne('bob', ...entry.slice(0, 2))), ['unchanged', 'unchanged']);
  });

  test('no more than an account may have', async () => {
    const many = Array.from({ length: limits.factorsPerAccount + 1 }, (_, index) =>
      counted(0, Buffer.from(`seed number ${index} of 20`)),
    );
    const said = await takeOne('bob', ...many);
    assert.deepEqual(codes(said).at(-1), 'too-many-factors');
    assert.equal((await factorsOf('bob')).length, limits.factorsPerAccount);
  });
});

describe('locks', () => {
  const lock = (until?: number): ImportEntry => ({
    user: 'alice',
    factors: [moved(-1)],
    lock: { codes: true, ...(until === undefined ? {} : { until }) },
  });

  test('are imported with the factors, and end at the same time', async () => {
    const until = now() + 60_000;
    const [said] = await take([lock(until)]);
    assert.equal(said?.locked, true);
    const { lock: kept } = await client.user('alice');
    assert.ok(kept.codesLockedAt);
    assert.equal(kept.lockedUntil, until);
    assert.equal(await verify('alice', code()), 'refused');
  });

  test('last no longer than the realm allows', async () => {
    await take([lock(now() + 365 * 86_400_000)]);
    const { lock: kept } = await client.user('alice');
    assert.ok((kept.lockedUntil ?? 0) <= now() + 3_600_000);
  });

  test('do not return by a second import', async () => {
    await take([lock()]);
    await client.unlock('alice');
    for (const mark of [-1, stepNow()]) {
      const [said] = await take([{ ...lock(), factors: [moved(mark)] }]);
      assert.equal(said?.locked, false);
    }
    assert.deepEqual(rig.store.trail.map(({ reason }) => reason).slice(-1), ['counter-raised']);
    assert.equal((await client.user('alice')).lock.codesLockedAt, undefined);
  });
});

describe('the import operation', () => {
  test('a dry run reports the same and changes nothing', async () => {
    const entries = [
      { user: 'bob', factors: [moved(3), counted(1, other)] },
      { user: 'nobody-at-all', factors: [moved(3)] },
    ];
    const dry = await take(entries, true);
    assert.equal(rig.store.commits.length, 0);
    assert.equal(await rig.store.get('bob'), undefined);
    assert.deepEqual(await take(entries), dry);
  });

  test('is one commit per account, including its events, without secrets', async () => {
    await takeOne('bob', moved(3), counted(1, other));
    assert.equal(rig.store.commits.length, 1);
    assert.deepEqual(
      rig.store.trail.map(({ kind, outcome, reason, actor, account, realm, factor }) => [
        kind,
        outcome,
        reason,
        actor,
        account,
        realm,
        factor?.kind,
      ]),
      [
        ['imported', 'done', 'oath', 'uid:0', 'bob', 'everyone', 'totp'],
        ['imported', 'done', 'oath', 'uid:0', 'bob', 'everyone', 'hotp'],
      ],
    );
    const said = JSON.stringify([rig.store.trail, rig.logged]);
    for (const secret of [seed, other]) assert.ok(!said.includes(secret.toString('base64')));
  });

  test('is decided again when another commit comes first: what a login used meanwhile stays used', async () => {
    await rig.store.put('bob', { factors: [{ ...fob, counter: 1 }] });
    let others = 3;
    rig.store.beforeCommit = async () => {
      others -= 1;
      if (others >= 0) await rig.store.put('bob', { factors: [{ ...fob, counter: 60 - others }] });
    };
    await takeOne('bob', counted(58, other), moved(1));
    const [first] = await factorsOf('bob');
    assert.ok(first?.kind === 'hotp');
    assert.equal(first.counter, 60);
  });

  test('does not stop logins, and a code is accepted once', async () => {
    await takeOne('bob', counted(0));
    const imports = Array.from({ length: 20 }, (_, index) =>
      take([{ user: 'bob', factors: [counted(0), counted(0, Buffer.from(`seed number ${index} of 20`))] }]),
    );
    const tries = Array.from({ length: 20 }, () => verify('bob', hotp(seed, 0)));
    await Promise.all(imports);
    assert.equal((await Promise.all(tries)).filter((outcome) => outcome === 'accepted').length, 1);
    assert.equal((await factorsOf('bob')).length, 21);
  });

  test('leaves NSS threads to logins', async () => {
    rig.names.slow = 1;
    const [nobody] = await take([{ user: 'nobody-at-all', factors: [] }]);
    assert.ok(nobody);
    rig.names.most = 0;
    await take(Array(limits.movedAccounts).fill({ user: 'nobody-at-all', factors: [] }));
    assert.equal(rig.names.most, limits.movingLookups);
  });

  test('has request limits', async () => {
    const entry = { user: 'nobody-at-all', factors: [] };
    const refused = (code: string) => (error: unknown) =>
      error instanceof ControlError && error.code === code;
    assert.equal((await take(Array(limits.movedAccounts).fill(entry))).length, limits.movedAccounts);
    await assert.rejects(take(Array(limits.movedAccounts + 1).fill(entry)), refused('bad-request'));
    const factors = Array(limits.movedFactors).fill(moved(-1));
    assert.equal((await take([{ ...entry, factors }])).length, 1);
    await assert.rejects(take([{ ...entry, factors: [...factors, moved(-1)] }]), refused('bad-request'));
    const names = (count: number) =>
      take(
        Array(limits.movedAccounts).fill({
          ...entry,
          factors: Array(4).fill({ ...moved(-1), name: 'x'.repeat(count) }),
        }),
      );
    assert.equal((await names(700)).length, limits.movedAccounts);
    await assert.rejects(names(1_020), refused('body-too-large'));
    await assert.rejects(take([{ factors: [] }]), refused('bad-request'));
    await assert.rejects(
      take([{ user: 'bob', factors: [{ ...moved(-1), secret: 'not base64 🔑' } as PortableFactor] }]),
      (error: Error) => !error.message.includes('🔑'),
    );
  });
});

describe('the export operation', () => {
  const events = () =>
    rig.store.trail.map(({ kind, reason, account, actor }) => [kind, reason, account, actor]);

  test('returns secrets with counters, and omits what cannot be exported', async () => {
    await takeOne('bob', moved(7), counted(9, other), stick(11), scratch('12345678'));
    await client.addFactor('bob', { kind: 'recovery', verify: true });
    rig.store.trail.length = 0;
    const { accounts, next } = await client.export({ users: ['bob'] });
    assert.equal(next, undefined);
    const [bob] = accounts;
    assert.deepEqual(
      bob?.factors.map((factor) => {
        assert.ok(factor.created);
        return { ...factor, created: 0 };
      }),
      [
        { ...moved(7), name: 'TOTP', created: 0 },
        { ...counted(9, other), name: 'HOTP', created: 0 },
        { ...stick(11), name: 'YubiKey', created: 0 },
      ],
    );
    assert.deepEqual(
      bob?.left.map(({ kind }) => kind),
      ['scratch', 'recovery'],
    );
    assert.deepEqual(events(), [['exported', 'secrets', 'bob', 'uid:0']]);
  });

  test('returns all, page by page, each with its event', async () => {
    for (const user of ['alice', 'bob', 'carol']) await rig.store.put(user, { factors: [phone] });
    await rig.store.put('portal', {});
    const { accounts } = await client.export({});
    assert.deepEqual(
      accounts.map(({ account }) => account),
      ['alice', 'bob', 'carol'],
    );
    assert.equal(events().length, 3);
    const rest = await client.export({ after: 'bob' });
    assert.deepEqual(
      rest.accounts.map(({ account }) => account),
      ['carol'],
    );
  });

  test('returns nothing whose event is not stored', async () => {
    await rig.store.put('bob', { factors: [phone] });
    rig.store.breakWrites('ENOSPC');
    await assert.rejects(client.export({ users: ['bob'] }), (error: Error) => {
      assert.ok(error instanceof ControlError && error.code === 'store-unwritable');
      return !error.message.includes(phone.secret);
    });
  });

  test('names accounts without factors before anything is returned', async () => {
    await rig.store.put('alice', { factors: [phone] });
    await assert.rejects(
      client.export({ users: ['alice', 'bob'] }),
      (error: unknown) => error instanceof ControlError && error.code === 'no-such-account',
    );
    assert.deepEqual(events(), []);
    assert.equal((await client.export({ users: ['alice', 'alice'] })).accounts.length, 1);
  });
});
