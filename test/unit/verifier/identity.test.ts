import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { limits } from '../../../daemon/limits.ts';
import type { LoginFacts } from '../../../daemon/policy/contract.ts';
import { pubLine, publicKey, sshSkRecord } from '../../support/ssh-keys.ts';
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
  recoveryFactor,
  recoveryKeys,
  totpFactor,
  unverified,
  wrongCode,
} from '../../support/verifier-rig.ts';
import { day, facts, overUserSocket, realm, remember, rule } from '../policy/support.ts';

/** A name is not a person. alice has uid 1000 in the rig. */

let rig: Rig;
beforeEach(async () => {
  rig = makeRig();
});
const last = async () => (await eventsOf(rig)).at(-1);
const outcome = async () => {
  const event = await last();
  return [event?.outcome, event?.reason];
};
const open = (part: Partial<LoginFacts> = {}) => rig.verifier.open(facts(part));
const ofAnother = { uid: 999, factors: [totpFactor(), recoveryFactor()] };

describe('a new user under the name of a deleted account', () => {
  it('is refused at once after the password, with a reason, and the record is unchanged', async () => {
    await put(rig, ofAnother);
    const before = await recordOf(rig);
    const opening = await open();
    assert.ok(opening.kind === 'done');
    assert.equal(opening.result, 'auth-err');
    assert.match(opening.text ?? '', /another uid/);
    assert.deepEqual(await outcome(), ['refused', 'uid-changed']);
    assert.deepEqual(await recordOf(rig), before);
  });

  it('gets the same response as every name before the password, with the right code too', async () => {
    await put(rig, ofAnother);
    const generic = await open(unverified);
    const wrong = assertRefused(await answer(rig, unverified, wrongCode(rig)));
    const right = assertRefused(await answer(rig, unverified, codeNow(rig)));
    assert.deepEqual(generic, await rig.verifier.open(facts({ ...unverified, user: 'alice' })));
    assert.deepEqual([right.result, right.text, right.again], [wrong.result, wrong.text, wrong.again]);
    const nobody = assertRefused(await answer(rig, { ...unverified, user: 'nobody' }, codeNow(rig)));
    assert.deepEqual([right.result, right.text, right.again], [nobody.result, nobody.text, nobody.again]);
    assert.deepEqual(await outcome(), ['refused', 'uid-changed']);
    assert.deepEqual((await recordOf(rig)).lock, { codes: 0, any: 0 });
  });

  it('is refused in a screen locker', async () => {
    await put(rig, ofAnother);
    assertRefused(await answer(rig, { ...overUserSocket, service: 'xlock' }, codeNow(rig)));
    assert.deepEqual(await outcome(), ['refused', 'uid-changed']);
  });

  it('is refused with a key that sshd has verified', async () => {
    rig = makeRig(realm({ rules: [rule({ kind: 'accept', factor: 'ssh-sk' }, { services: ['sshd'] })] }));
    await put(rig, { uid: 999, factors: [sshSkRecord('blue')] });
    assert.equal((await open({ sshKeys: [publicKey('blue')] })).kind, 'done');
    assert.deepEqual(await outcome(), ['refused', 'uid-changed']);
  });

  it('is refused if the record changes owner between the prompt and the commit', async () => {
    for (const when of ['before', 'meanwhile'] as const) {
      rig = makeRig();
      await put(rig, { ...ofAnother, uid: 1000 });
      const login = await opened(rig);
      if (when === 'before') await put(rig, { uid: 999 });
      else rig.store.beforeNextCommit(() => put(rig, { uid: 999 }));
      assertRefused(await answered(rig, login, codeNow(rig)));
      assert.deepEqual(await outcome(), ['refused', 'uid-changed'], when);
    }
  });

  it('is refused if the account changes owner at the prompt', async () => {
    await put(rig, { ...ofAnother, uid: 1000 });
    const login = await opened(rig);
    rig.accounts.remove('alice');
    rig.accounts.add('alice', 1007);
    rig.clock.pass(limits.lookupAge);
    assertRefused(await answered(rig, login, codeNow(rig)));
    assert.deepEqual(await outcome(), ['refused', 'uid-changed']);
  });

  it('is refused as the caller of su', async () => {
    rig = makeRig(realm({ su: 'caller' }));
    await put(rig, { account: 'bob', ...ofAnother });
    const su = { service: 'su', user: 'alice', realUid: 1001 };
    assert.equal((await open(su)).kind, 'done');
    assert.deepEqual(await outcome(), ['refused', 'uid-changed']);
    await put(rig, { account: 'bob', uid: 1001 });
    assert.equal((await open(su)).kind, 'ask');
  });

  it('is allowed only in observe mode, as the event says', async () => {
    rig = makeRig(realm({ observe: true }));
    await put(rig, ofAnother);
    assert.deepEqual(await open(), { kind: 'done', result: 'ignore' });
    assert.deepEqual(await outcome(), ['observed', 'uid-changed']);
  });

  it('cannot use `verify`, nor add a factor, nor get a challenge for a security key', async () => {
    await put(rig, ofAnother);
    rig.relyingParty = { rpId: 'login.example.org', rpName: 'Example' };
    const request = { actor: 'uid:1000', user: 'alice' };
    const verified = await rig.verifier.verify({ ...request, answer: Buffer.from(codeNow(rig)) });
    assert.ok(verified.outcome === 'refused' && verified.reason === 'uid-changed');
    assert.deepEqual(await outcome(), ['refused', 'uid-changed']);
    const changed = { code: 'uid-changed' };
    for (const enrolment of [
      { ...request, kind: 'recovery', verify: false },
      { ...request, kind: 'bypass', verify: false, forMs: 60_000 },
      { ...request, kind: 'ssh-sk', verify: false, publicKey: pubLine('blue') },
    ] as const)
      await assert.rejects(rig.verifier.enrol(enrolment), changed);
    await assert.rejects(rig.verifier.creationOptions('alice'), changed);
    assert.deepEqual((await recordOf(rig)).factors, ofAnother.factors);
  });

  it('adds a first factor during the login if the record of the former user is empty, and gets a new record', async () => {
    rig = makeRig(realm({ enrol: 'at-login' }));
    const lock = { codes: 8, any: 20, codesLockedAt: 1, lockedAt: 1 };
    const exemption = { since: 0, until: rig.clock.at + day, by: 'uid:0' };
    await put(rig, { uid: 999, lock, exemption, lastLogin: { at: 1, service: 'sshd' } });
    const opening = await open();
    assert.ok(opening.kind === 'ask' && opening.login.enrolment !== undefined);
    const seed = Buffer.from(opening.login.enrolment.factor.secret, 'base64');
    const { totp } = await import('../../support/codes.ts');
    const next = await answered(rig, opening.login, totp(seed, { at: rig.clock.at }));
    assert.ok(next.kind === 'next');
    assertAccepted(await answered(rig, next.login, 'yes'));
    const record = await recordOf(rig);
    assert.deepEqual([record.uid, record.lock, record.exemption], [1000, { codes: 0, any: 0 }, undefined]);
  });
});

describe('a record written before uids were stored', () => {
  beforeEach(async () => {
    await put(rig, { factors: [totpFactor(), recoveryFactor()] });
    rig.store.commits.length = 0;
  });
  const uid = async () => (await recordOf(rig)).uid;

  it('gets the uid in the commit of the next login with a verified first factor', async () => {
    assertAccepted(await answer(rig, {}, codeNow(rig)));
    assert.equal(await uid(), 1000);
    assert.equal(rig.store.commits.length, 1);
  });

  it('gets none from a wrong answer, from an unverified login, and from `verify`', async () => {
    assertRefused(await answer(rig, {}, wrongCode(rig)));
    assert.equal(await uid(), undefined);
    assertAccepted(await answer(rig, unverified, codeNow(rig)));
    assert.equal(await uid(), undefined);
    const key = Buffer.from(recoveryKeys[0] ?? '');
    const verified = await rig.verifier.verify({ actor: 'uid:0', user: 'alice', answer: key });
    assert.equal(verified.outcome, 'accepted');
    assert.equal(await uid(), undefined);
  });

  it("gets that of the caller if su asks for the caller's factor", async () => {
    rig = makeRig(realm({ su: 'caller' }));
    await put(rig, { account: 'bob', factors: [totpFactor()] });
    assertAccepted(await answer(rig, { service: 'su', user: 'alice', realUid: 1001 }, codeNow(rig)));
    assert.equal((await recordOf(rig, 'bob')).uid, 1001);
    assert.equal((await rig.store.account('alice')).value, undefined);
  });

  it('keeps it: another uid is refused', async () => {
    assertAccepted(await answer(rig, {}, codeNow(rig)));
    rig.accounts.remove('alice');
    rig.accounts.add('alice', 1007);
    assert.equal((await open()).kind, 'done');
    assert.deepEqual(await outcome(), ['refused', 'uid-changed']);
  });
});

describe('a new record', () => {
  it('has the uid from its beginning: through grace, or an added factor', async () => {
    rig = makeRig(realm({ enrol: 'grace', graceMs: day }));
    await open();
    assert.equal((await recordOf(rig)).uid, 1000);
    await rig.verifier.enrol({ actor: 'uid:0', user: 'bob', kind: 'recovery', verify: false });
    assert.equal((await recordOf(rig, 'bob')).uid, 1001);
  });

  it('keeps it through every login, wrong ones included', async () => {
    rig = makeRig(realm({ rules: [rule(remember)] }));
    await put(rig, { uid: 1000, factors: [totpFactor()] });
    assertRefused(await answer(rig, {}, wrongCode(rig)));
    assertAccepted(await answer(rig, {}, codeNow(rig)));
    assert.equal((await recordOf(rig)).uid, 1000);
  });
});
