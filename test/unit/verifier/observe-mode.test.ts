import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { portalService } from '../../../daemon/policy/realm.ts';
import {
  answered,
  eventsOf,
  makeRig,
  opened,
  put,
  type Rig,
  recordOf,
  totpFactor,
  wrongCode,
} from '../../support/verifier-rig.ts';
import { day, facts, hour, realm, rule } from '../policy/support.ts';

const observing = (part: Parameters<typeof realm>[0] = {}) => realm({ ...part, observe: true });

describe('a realm in observe mode', () => {
  let rig: Rig;
  beforeEach(() => {
    rig = makeRig(observing());
  });

  it('allows logins without a message, and records what it would have decided', async () => {
    await put(rig, { factors: [totpFactor()] });
    assert.deepEqual(await rig.verifier.open(facts()), { kind: 'done', result: 'ignore' });
    assert.deepEqual(await rig.verifier.open(facts({ user: 'bob', service: 'sudo' })), {
      kind: 'done',
      result: 'ignore',
    });
    const reported = (await eventsOf(rig)).map(({ kind, outcome, reason, would, account, service }) => [
      kind,
      outcome,
      reason,
      would,
      account,
      service,
    ]);
    assert.deepEqual(reported, [
      ['login', 'observed', 'ask', 'ask', 'alice', 'sshd'],
      ['login', 'observed', 'no-factor', 'refused', 'bob', 'sudo'],
    ]);
  });

  for (const [what, part] of [
    ['a grace period', { enrol: 'grace', graceMs: day }],
    ['a first factor', { enrol: 'at-login' }],
    ['a refusal', { rules: [rule({ kind: 'refuse' })] }],
  ] as const) {
    it(`leaves only the event in the store: ${what}`, async () => {
      rig.setRealms(observing(part));
      await rig.verifier.open(facts());
      assert.equal((await rig.store.account('alice')).value, undefined);
      assert.equal((await eventsOf(rig)).length, 1);
    });
  }

  it('keeps a lockout unchanged, also with a clock before its start', async () => {
    const lock = { codes: 8, any: 100, lockedAt: rig.clock.at + hour };
    await put(rig, { factors: [totpFactor()], lock });
    assert.deepEqual(await rig.verifier.open(facts()), { kind: 'done', result: 'ignore' });
    assert.deepEqual((await recordOf(rig)).lock, lock);
  });

  it('shows an unverified login the prompt of all names, and accepts any answer', async () => {
    await put(rig, { factors: [totpFactor()] });
    const before = await recordOf(rig);
    const prompts: string[] = [];
    for (const user of ['alice', 'bob', 'nobody-at-all']) {
      const opening = await rig.verifier.open(facts({ user, firstFactorVerified: false }));
      assert.ok(opening.kind === 'ask');
      prompts.push(opening.prompt);
      for (const text of ['', 'hunter2', wrongCode(rig)]) {
        const verdict = await answered(rig, await opened(rig, { user, firstFactorVerified: false }), text);
        const { kind, result } = verdict.kind === 'next' ? { kind: verdict.kind, result: '' } : verdict;
        const expected = user === 'nobody-at-all' ? ['refused', 'auth-err'] : ['accepted', 'ignore'];
        assert.deepEqual([kind, result], expected, `${user} ${text}`);
      }
    }
    assert.equal(new Set(prompts).size, 1);
    assert.deepEqual(await recordOf(rig), before);
  });

  it('is not affected by the rate limiter: many answers, all allowed', async () => {
    for (let tries = 0; tries < 40; tries += 1) {
      const verdict = await answered(rig, await opened(rig, { firstFactorVerified: false }), wrongCode(rig));
      assert.equal(verdict.kind, 'accepted');
    }
  });

  it('allows logins while the store cannot be written, and logs them', async () => {
    rig.store.breakWrites('disk full');
    assert.deepEqual(await rig.verifier.open(facts()), { kind: 'done', result: 'ignore' });
    assert.ok(rig.logged.some(({ outcome, reason }) => outcome === 'observed' && reason === 'no-factor'));
  });

  it('still asks in the portal', async () => {
    await put(rig, { factors: [totpFactor()] });
    assert.equal((await rig.verifier.open(facts({ service: portalService }))).kind, 'ask');
  });

  it('that stops observing asks a login at the prompt', async () => {
    await put(rig, { factors: [totpFactor()] });
    const login = await opened(rig, { firstFactorVerified: false });
    rig.setRealms(realm());
    assert.equal((await answered(rig, login, wrongCode(rig))).kind, 'refused');
  });
});

describe('an exemption', () => {
  it('allows logins with an event each time, and is void again once the clock is before its start', async () => {
    const rig = makeRig();
    const start = rig.clock.at;
    await put(rig, {
      factors: [totpFactor()],
      exemption: { since: start, until: start + day, by: 'uid:0' },
    });
    const open = async () => (await rig.verifier.open(facts())).kind;
    assert.deepEqual([await open(), await open()], ['done', 'done']);
    const reported = (await eventsOf(rig)).map(({ outcome, reason }) => [outcome, reason]);
    assert.deepEqual(reported, [
      ['not-needed', 'exempt'],
      ['not-needed', 'exempt'],
    ]);
    rig.clock.at = start - 1;
    assert.equal(await open(), 'ask');
    rig.clock.at = start + day;
    assert.equal(await open(), 'ask');
  });
});
