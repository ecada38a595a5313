import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import {
  answer,
  answered,
  assertAccepted,
  assertRefused,
  codeNow,
  eventsOf,
  makeRig,
  opened,
  put,
  type Rig,
  recordOf,
  totpFactor,
  wrongCode,
} from '../../support/verifier-rig.ts';
import { facts, realm, remember, rule } from '../policy/support.ts';

const unwritable = { code: 'store-unwritable' };

describe('a store that can be read but not written', () => {
  let rig: Rig;
  const notStored = (): unknown[] => rig.logged.filter(({ event }) => event === 'not-stored');
  const opensWith = async (): Promise<unknown> => {
    const opening = await rig.verifier.open(facts());
    return opening.kind === 'done' ? opening.result : opening.kind;
  };

  beforeEach(async () => {
    rig = makeRig();
    await put(rig, { factors: [totpFactor()] });
  });

  it('a right code is an error, never accepted, and possibly used', async () => {
    const login = await opened(rig);
    rig.store.breakWrites('no space left');
    await assert.rejects(answered(rig, login, codeNow(rig)), unwritable);
    assert.equal((await eventsOf(rig)).length, 0);
  });

  it('a right code is an error too when the commit was stored and only its sync failed', async () => {
    const login = await opened(rig);
    const commit = rig.store.commit.bind(rig.store);
    rig.store.commit = async (change) => {
      await commit(change);
      rig.store.breakWrites('I/O error');
      return commit(change);
    };
    const code = codeNow(rig);
    await assert.rejects(answered(rig, login, code), unwritable);
    rig.store.commit = commit;
    rig.store.breakWrites(undefined);
    assertRefused(await answer(rig, {}, code));
  });

  it('a wrong code is an error: it cannot be counted, so it is not verified', async () => {
    const login = await opened(rig);
    rig.store.breakWrites('read-only');
    await assert.rejects(answered(rig, login, wrongCode(rig)), unwritable);
  });

  it('a login that needs no factor passes, and is logged', async () => {
    rig.setRealms(realm({ require: 'none' }));
    await put(rig, { factors: [] });
    rig.store.breakWrites('read-only');
    assert.equal(await opensWith(), 'ignore');
    assert.equal(notStored().length, 1);
    assert.deepEqual(notStored()[0], {
      level: 'warning',
      event: 'not-stored',
      kind: 'login',
      outcome: 'not-needed',
      reason: 'no-factor',
      account: 'alice',
      service: 'sshd',
      source: '203.0.113.5',
    });
  });

  it('skip passes, and is logged', async () => {
    rig.setRealms(realm({ rules: [rule({ kind: 'skip' })] }));
    rig.store.breakWrites('read-only');
    assert.equal(await opensWith(), 'ignore');
    assert.equal(notStored().length, 1);
  });

  it('a current grant passes, and is logged', async () => {
    rig.setRealms(realm({ rules: [rule(remember)] }));
    assertAccepted(await answer(rig, {}, codeNow(rig)));
    rig.store.breakWrites('read-only');
    assert.equal(await opensWith(), 'ignore');
    assert.equal(notStored().length, 1);
  });

  it('a grace period in progress continues, and is logged', async () => {
    rig.setRealms(realm({ enrol: 'grace', graceMs: 86_400_000 }));
    await put(rig, { factors: [], graceStarted: rig.clock.at - 1_000 });
    rig.store.breakWrites('read-only');
    assert.equal(await opensWith(), 'ignore');
    assert.equal(notStored().length, 1);
  });

  it('a grace period cannot begin', async () => {
    rig.setRealms(realm({ enrol: 'grace', graceMs: 86_400_000 }));
    await put(rig, { factors: [] });
    rig.store.breakWrites('read-only');
    await assert.rejects(rig.verifier.open(facts()), unwritable);
    rig.store.breakWrites(undefined);
    assert.equal((await recordOf(rig)).graceStarted, undefined);
  });

  it('refusals without a commit are unchanged', async () => {
    rig.setRealms(realm({ rules: [rule({ kind: 'refuse' })] }));
    rig.store.breakWrites('read-only');
    assert.equal(await opensWith(), 'perm-denied');
  });

  it('enrolment and verify are errors', async () => {
    rig.store.breakWrites('read-only');
    const answerNow = Buffer.from(codeNow(rig));
    await assert.rejects(
      rig.verifier.verify({ actor: 'uid:0', user: 'alice', answer: answerNow }),
      unwritable,
    );
    assert.ok(answerNow.every((byte) => byte === 0));
    const request = { actor: 'uid:0', user: 'alice', verify: false, kind: 'recovery' } as const;
    await assert.rejects(rig.verifier.enrol(request), unwritable);
  });

  it('recovers by itself once it can write', async () => {
    const login = await opened(rig);
    rig.store.breakWrites('no space left');
    await assert.rejects(answered(rig, login, codeNow(rig)), unwritable);
    rig.store.breakWrites(undefined);
    assertAccepted(await answer(rig, {}, codeNow(rig)));
  });
});

describe('a damaged record', () => {
  it('is refused with an error, at HELLO and at the answer, and the event says so', async () => {
    const rig = makeRig();
    await put(rig, { factors: [totpFactor()] });
    const login = await opened(rig);
    rig.store.damage('alice');
    await assert.rejects(answered(rig, login, codeNow(rig)), { code: 'record-damaged' });
    await assert.rejects(rig.verifier.open(facts()), { code: 'record-damaged' });
    const events = await eventsOf(rig);
    assert.deepEqual(
      events.map(({ outcome, reason }) => [outcome, reason]),
      [
        ['error', 'record-damaged'],
        ['error', 'record-damaged'],
      ],
    );
  });

  it('is not treated as an account without factors in a realm that requires none', async () => {
    const rig = makeRig(realm({ require: 'none' }));
    await put(rig, { factors: [totpFactor()] });
    rig.store.damage('alice');
    await assert.rejects(rig.verifier.open(facts()), { code: 'record-damaged' });
  });

  it('does not affect other accounts', async () => {
    const rig = makeRig();
    await put(rig, { factors: [totpFactor()] });
    await put(rig, { account: 'bob', factors: [totpFactor()] });
    rig.store.damage('alice');
    assertAccepted(await answer(rig, { user: 'bob' }, codeNow(rig)));
  });
});

describe('a closed store', () => {
  it('allows no login, not even one that needs no factor', async () => {
    const rig = makeRig(realm({ rules: [rule({ kind: 'skip' })] }));
    await rig.store.close();
    await assert.rejects(rig.verifier.open(facts()), { code: 'store-closed' });
  });
});
