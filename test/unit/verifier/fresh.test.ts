import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { AccountRecord } from '../../../daemon/store/contract.ts';
import type { Verdict } from '../../../daemon/verifier/verifier.ts';
import {
  answered,
  assertAccepted,
  assertRefused,
  codeNow,
  eventsOf,
  hotpFactor,
  makeRig,
  opened,
  press,
  put,
  type Rig,
  recordOf,
  recoveryFactor,
  recoveryKeys,
  totpFactor,
  wrongCode,
} from '../../support/verifier-rig.ts';
import { facts, members, realm, remember, rule } from '../policy/support.ts';

/**
 * The decision at HELLO only chooses the prompt. Each change is made twice: between HELLO and the answer, and between
 * the answer's read of the record and its commit.
 */
const locked: AccountRecord['lock'] = { codes: 8, any: 8, codesLockedAt: 1_700_000_000_000 };

describe('changes since HELLO take effect', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = makeRig();
    await put(rig, { factors: [totpFactor(), recoveryFactor()] });
  });

  async function bothWays(
    change: () => Promise<void> | void,
    check: (verdict: Verdict) => Promise<void> | void,
  ): Promise<void> {
    for (const when of ['before', 'meanwhile'] as const) {
      rig = makeRig();
      await put(rig, { factors: [totpFactor(), recoveryFactor()] });
      const login = await opened(rig);
      const happens = async (): Promise<void> => {
        await change();
        // Every change of an account writes its record, which a commit notices.
        await put(rig, {});
      };
      if (when === 'before') await happens();
      else rig.store.beforeNextCommit(happens);
      await check(await answered(rig, login, codeNow(rig)));
    }
  }

  it('the factor was disabled', () =>
    bothWays(
      () => put(rig, { factors: [totpFactor({ enabled: false }), recoveryFactor()] }),
      async (verdict) => {
        assertRefused(verdict);
        assert.ok(!(await eventsOf(rig)).some(({ outcome }) => outcome === 'success'));
      },
    ));

  it('the factor was removed', () =>
    bothWays(
      () => put(rig, { factors: [recoveryFactor()] }),
      (verdict) => void assertRefused(verdict),
    ));

  it('all factors were removed', () =>
    bothWays(
      () => put(rig, { factors: [] }),
      (verdict) => void assertRefused(verdict),
    ));

  it('that very code was used', () =>
    bothWays(
      () =>
        put(rig, {
          factors: [totpFactor({ lastStep: Math.floor(rig.clock.at / 30_000) }), recoveryFactor()],
        }),
      (verdict) => void assertRefused(verdict),
    ));

  it('typed codes were locked', () =>
    bothWays(
      () => put(rig, { lock: locked }),
      async (verdict) => {
        assert.equal(assertRefused(verdict).result, 'maxtries');
        assert.deepEqual((await recordOf(rig)).lock, locked, 'and what is typed while locked counts nowhere');
      },
    ));

  it('everything was locked', () =>
    bothWays(
      () => put(rig, { lock: { codes: 0, any: 100, lockedAt: rig.clock.at } }),
      (verdict) => void assert.equal(assertRefused(verdict).result, 'maxtries'),
    ));

  it('an administrator unlocked: a code that HELLO would have refused is accepted', async () => {
    await put(rig, { lock: locked });
    const login = await opened(rig);
    await put(rig, { lock: { codes: 0, any: 0 } });
    assertAccepted(await answered(rig, login, codeNow(rig)));
  });

  it('the realm requires another kind now', () =>
    bothWays(
      () => rig.setRealms(realm({ require: ['yubikey'] })),
      (verdict) => void assertRefused(verdict),
    ));

  it('another realm includes the account now, which refuses the service', () =>
    bothWays(
      () =>
        rig.setRealms(
          realm({ name: 'first', members: members({ users: ['alice'] }), rules: [rule({ kind: 'refuse' })] }),
          realm(),
        ),
      (verdict) => void assert.equal(assertRefused(verdict).result, 'perm-denied'),
    ));

  it('nothing is required any more: the answer is dropped, IGNORE follows, and no code is used', () =>
    bothWays(
      () => rig.setRealms(realm({ rules: [rule({ kind: 'skip' })] })),
      async (verdict) => {
        assert.deepEqual(verdict, { kind: 'accepted', result: 'ignore', strip: 0 });
        assert.deepEqual((await recordOf(rig)).factors, [totpFactor(), recoveryFactor()]);
        assert.equal((await eventsOf(rig)).at(-1)?.outcome, 'not-needed');
      },
    ));

  it('a factor was added: its code is accepted, though it did not exist at HELLO', async () => {
    const login = await opened(rig);
    await put(rig, { factors: [totpFactor(), hotpFactor()] });
    assertAccepted(await answered(rig, login, press(0)));
  });

  it('another wrong answer was counted meanwhile: none is lost', async () => {
    const login = await opened(rig);
    rig.store.beforeNextCommit(() => put(rig, { lock: { codes: 4, any: 4 } }));
    assertRefused(await answered(rig, login, wrongCode(rig)));
    assert.deepEqual((await recordOf(rig)).lock, { codes: 5, any: 5 });
  });

  it('another change to the record is not overwritten', async () => {
    const login = await opened(rig);
    const renamed = totpFactor({ name: 'old phone' });
    rig.store.beforeNextCommit(() => put(rig, { factors: [renamed, recoveryFactor(), hotpFactor()] }));
    assertAccepted(await answered(rig, login, codeNow(rig)));
    const { factors } = await recordOf(rig);
    assert.deepEqual(
      factors.map(({ name }) => name),
      ['old phone', 'paper', 'token'],
    );
  });

  it('a decision without an answer is conditional too', async () => {
    rig.setRealms(realm({ require: 'none' }));
    await put(rig, { factors: [] });
    rig.store.beforeNextCommit(() => put(rig, { factors: [totpFactor()] }));
    const opening = await rig.verifier.open(facts());
    assert.equal(opening.kind, 'ask');
    assert.deepEqual(await eventsOf(rig), []);
  });

  it('a grace period does not start twice', async () => {
    rig.setRealms(realm({ enrol: 'grace', graceMs: 86_400_000 }));
    await put(rig, { factors: [] });
    const earlier = rig.clock.at - 1_000;
    rig.store.beforeNextCommit(() => put(rig, { graceStarted: earlier }));
    const opening = await rig.verifier.open(facts());
    assert.equal(opening.kind === 'done' && opening.result, 'ignore');
    assert.equal((await recordOf(rig)).graceStarted, earlier);
  });

  it('a login with a grant is asked if the factors changed meanwhile', async () => {
    rig.setRealms(realm({ rules: [rule(remember)] }));
    const login = await opened(rig);
    assertAccepted(await answered(rig, login, codeNow(rig)));
    rig.store.beforeNextCommit(() => put(rig, { grants: [] }));
    assert.equal((await rig.verifier.open(facts())).kind, 'ask');
  });

  it('the account was deleted, or its name belongs to another uid', async () => {
    const login = await opened(rig);
    rig.accounts.remove('alice');
    rig.clock.pass(2_001);
    assertRefused(await answered(rig, login, codeNow(rig)));
    assert.deepEqual((await recordOf(rig)).factors, [totpFactor(), recoveryFactor()]);
  });

  it('NSS fails now: an error, and no login is allowed', async () => {
    const login = await opened(rig);
    rig.accounts.unavailable = 'timed out';
    rig.clock.pass(2_001);
    await assert.rejects(answered(rig, login, codeNow(rig)), { code: 'accounts-unavailable' });
  });

  it('a deleted group is noticed by a late answer', async () => {
    const staff = realm({ name: 'staff', members: members({ groups: ['staff'] }) });
    rig.setRealms(staff, realm({ require: 'none' }));
    rig.accounts.add('alice', 1000, { staff: 'member' });
    const login = await opened(rig);
    rig.accounts.add('alice', 1000, { staff: 'unresolved' });
    rig.clock.pass(2_001);
    assert.equal(assertRefused(await answered(rig, login, codeNow(rig))).result, 'system-err');
  });

  it('a realm with groups that were not looked up cannot be ruled out', async () => {
    const login = await opened(rig);
    rig.setRealms(
      realm({ name: 'staff', members: members({ groups: ['staff'] }) }),
      realm({ require: 'none' }),
    );
    const verdict = await answered(rig, login, recoveryKeys[0] ?? '');
    assert.notEqual(verdict.kind, 'accepted');
  });
});
