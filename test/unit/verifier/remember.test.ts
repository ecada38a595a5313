import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { LoginFacts } from '../../../daemon/policy/contract.ts';
import {
  answer,
  answered,
  assertAccepted,
  assertRefused,
  codeNow,
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
import { day, facts, minute, onTerminal, realm, remember, rule } from '../policy/support.ts';

const remembering = realm({ rules: [rule(remember)] });

async function begins(rig: Rig, given: LoginFacts): Promise<string> {
  const opening = await rig.verifier.open(given);
  return opening.kind === 'done' ? opening.result : opening.kind;
}

describe('remembering', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = makeRig(remembering);
    await put(rig, { factors: [totpFactor(), recoveryFactor()] });
  });

  it('begins with a verified factor, and applies in the same location until it expires', async () => {
    assert.equal(await begins(rig, facts()), 'ask');
    assertAccepted(await answer(rig, {}, codeNow(rig)));
    rig.clock.pass(15 * minute - 1);
    assert.equal(await begins(rig, facts()), 'ignore');
    rig.clock.pass(1);
    assert.equal(await begins(rig, facts()), 'ask');
  });

  it('is not prolonged by use', async () => {
    assertAccepted(await answer(rig, {}, codeNow(rig)));
    for (let each = 0; each < 14; each += 1) {
      rig.clock.pass(minute);
      assert.equal(await begins(rig, facts()), 'ignore');
    }
    rig.clock.pass(minute);
    assert.equal(await begins(rig, facts()), 'ask');
  });

  for (const [what, other] of [
    ['another service', facts({ service: 'sudo' })],
    ['another address', facts({ rhost: '203.0.113.6', source: '203.0.113.6' })],
    ['a terminal of this machine', onTerminal({ service: 'sshd' })],
    ['a host name', (({ source: _, ...rest }) => rest)(facts({ rhost: 'host.example' }))],
    ['the user socket', facts({ rootSocket: false, firstFactorVerified: false, peerUid: 1000 })],
  ] as const) {
    it(`is bound to its location: not from ${what}`, async () => {
      assertAccepted(await answer(rig, {}, codeNow(rig)));
      assert.equal(await begins(rig, other), 'ask');
    });
  }

  for (const [what, change] of [
    ['another terminal', { tty: '/dev/pts/4' }],
    ['another session', { session: '8' }],
    ['another boot', { bootId: 'boot-2' }],
  ] as const) {
    it(`on a terminal is bound to it: not on ${what}`, async () => {
      const { rhost: _r, source: _s, ...terminal } = onTerminal();
      const login = await rig.verifier.open(terminal);
      assert.ok(login.kind === 'ask');
      assertAccepted(await answered(rig, login.login, codeNow(rig)));
      assert.equal(await begins(rig, terminal), 'ignore');
      assert.equal(await begins(rig, { ...terminal, ...change }), 'ask');
    });
  }

  it('is bound to the account and the realm', async () => {
    await put(rig, { account: 'bob', factors: [totpFactor()] });
    assertAccepted(await answer(rig, {}, codeNow(rig)));
    assert.equal(await begins(rig, facts({ user: 'bob' })), 'ask');
    rig.setRealms(realm({ name: 'another', rules: [rule(remember)] }));
    assert.equal(await begins(rig, facts()), 'ask');
  });

  it('is not issued unless a rule says so, and is void if no rule does any more', async () => {
    rig.setRealms(realm());
    assertAccepted(await answer(rig, {}, codeNow(rig)));
    assert.deepEqual((await recordOf(rig)).grants, []);
    rig.setRealms(remembering);
    assert.equal(await begins(rig, facts()), 'ask');
    rig.clock.pass(30_000);
    assertAccepted(await answer(rig, {}, codeNow(rig)));
    rig.setRealms(realm());
    assert.equal(await begins(rig, facts()), 'ask');
  });

  it('is not issued by a wrong answer, nor by an exemption', async () => {
    assertRefused(await answer(rig, {}, wrongCode(rig)));
    assert.deepEqual((await recordOf(rig)).grants, []);
    rig.setRealms(realm({ rules: [rule({ kind: 'skip' })] }));
    assert.equal(await begins(rig, facts()), 'ignore');
    assert.deepEqual((await recordOf(rig)).grants, []);
  });

  it('is void when the clock is before its start', async () => {
    assertAccepted(await answer(rig, {}, codeNow(rig)));
    rig.clock.at -= 1;
    assert.equal(await begins(rig, facts()), 'ask');
    rig.clock.at -= day;
    assert.equal(await begins(rig, facts()), 'ask');
  });

  it('is void after a factor was added', async () => {
    assertAccepted(await answer(rig, {}, codeNow(rig)));
    await rig.verifier.enrol({ actor: 'uid:0', user: 'alice', verify: false, kind: 'recovery' });
    assert.equal(await begins(rig, facts()), 'ask');
  });

  it('does not override a lockout', async () => {
    assertAccepted(await answer(rig, {}, codeNow(rig)));
    await put(rig, { lock: { codes: 0, any: 100, lockedAt: rig.clock.at } });
    assert.equal(await begins(rig, facts()), 'maxtries');
  });

  it('does not replace a factor that was removed', async () => {
    assertAccepted(await answer(rig, {}, codeNow(rig)));
    await put(rig, { factors: [totpFactor({ enabled: false })] });
    assert.equal(await begins(rig, facts()), 'auth-err');
  });

  it('is issued for a recovery key too', async () => {
    assertAccepted(await answer(rig, {}, recoveryKeys[0] ?? ''));
    assert.equal(await begins(rig, facts()), 'ignore');
  });
});

describe('grace', () => {
  const grace = realm({ enrol: 'grace', graceMs: day });

  it('begins with the first login with a verified first factor and not before, and ends by itself', async () => {
    const rig = makeRig(grace);
    rig.clock.pass(5 * day);
    assert.equal(await begins(rig, facts()), 'ignore');
    assert.equal((await recordOf(rig)).graceStarted, rig.clock.at);
    rig.clock.pass(day - 1);
    assert.equal(await begins(rig, facts()), 'ignore');
    rig.clock.pass(1);
    assert.equal(await begins(rig, facts()), 'auth-err');
  });

  it('begins once though 64 logins arrive at once', async () => {
    const rig = makeRig(grace);
    const begun = await Promise.all(Array.from({ length: 64 }, () => begins(rig, facts())));
    assert.ok(begun.every((result) => result === 'ignore'));
    const starts = rig.store.commits.filter(({ accounts }) => accounts.some(({ write }) => write));
    assert.equal(starts.length, 1);
  });

  it('does not count while the clock is before its start', async () => {
    const rig = makeRig(grace);
    await begins(rig, facts());
    rig.clock.at -= 1;
    assert.equal(await begins(rig, facts()), 'auth-err');
    assert.equal((await recordOf(rig)).graceStarted, rig.clock.at + 1);
  });

  it('does not begin for a name that is not an account', async () => {
    const rig = makeRig(grace);
    assert.equal(await begins(rig, facts({ user: 'nobody' })), 'auth-err');
    assert.equal(rig.store.commits.length, 0);
  });
});

describe('su', () => {
  const su = (more: Partial<LoginFacts> = {}): LoginFacts => {
    const {
      rhost: _r,
      source: _s,
      ...rest
    } = onTerminal({ service: 'su', user: 'bob', realUid: 1000, ...more });
    return rest;
  };
  let rig: Rig;
  beforeEach(async () => {
    rig = makeRig(realm());
    await put(rig, { account: 'alice', factors: [totpFactor()] });
    await put(rig, { account: 'bob', factors: [hotpFactor()] });
  });
  async function answeredAs(given: LoginFacts, text: string): Promise<boolean> {
    const opening = await rig.verifier.open(given);
    assert.ok(opening.kind === 'ask', JSON.stringify(opening));
    return (await answered(rig, opening.login, text)).kind === 'accepted';
  }

  it('asks for the factor of the target by default, and counts there', async () => {
    assert.equal(await answeredAs(su(), codeNow(rig)), false);
    assert.equal((await recordOf(rig, 'bob')).lock.codes, 1);
    assert.equal((await recordOf(rig)).lock.codes, 0);
    assert.equal(await answeredAs(su(), press(0)), true);
  });

  it('with su = "caller" asks for that of the real uid, and counts there', async () => {
    rig.setRealms(realm({ su: 'caller' }));
    assert.equal(await answeredAs(su(), press(0)), false);
    assert.equal((await recordOf(rig)).lock.codes, 1);
    assert.deepEqual((await recordOf(rig, 'bob')).lock, { codes: 0, any: 0 });
    assert.equal(await answeredAs(su(), codeNow(rig)), true);
    assert.deepEqual((await recordOf(rig, 'bob')).factors, [hotpFactor()]);
    const [event] = await rig.store.events({ limit: 1 });
    assert.deepEqual([event?.account, event?.caller], ['bob', 'alice']);
  });

  it('the lockout of the caller applies to its su', async () => {
    rig.setRealms(realm({ su: 'caller' }));
    await put(rig, { account: 'alice', lock: { codes: 0, any: 100, lockedAt: rig.clock.at } });
    assert.equal(await begins(rig, su()), 'maxtries');
  });

  it('a caller without an account is refused, if anything is required', async () => {
    rig.setRealms(realm({ su: 'caller' }));
    assert.equal(await begins(rig, su({ realUid: 4711 })), 'auth-err');
    rig.setRealms(realm({ su: 'caller', require: 'none' }));
    assert.equal(await begins(rig, su({ realUid: 4711 })), 'ignore');
  });

  it('of a caller applies to no other service', async () => {
    rig.setRealms(realm({ su: 'caller' }));
    for (const service of ['sudo', 'login', 'sshd', 'SU'])
      assert.equal(await answeredAs(su({ service }), codeNow(rig)), false);
    assert.equal(await answeredAs(su({ service: 'su-l' }), codeNow(rig)), true);
  });

  it('is remembered for one target and not for another, and not for the caller', async () => {
    rig.setRealms(realm({ su: 'caller', rules: [rule(remember)] }));
    rig.accounts.add('carol', 1002);
    assert.equal(await answeredAs(su(), codeNow(rig)), true);
    assert.equal(await begins(rig, su()), 'ignore');
    assert.equal(await begins(rig, su({ user: 'carol' })), 'ask');
    assert.equal(await begins(rig, su({ user: 'alice' })), 'ask');
    assert.equal(await begins(rig, su({ realUid: 1001 })), 'ask');
  });

  it('to oneself is remembered only for oneself', async () => {
    rig.setRealms(realm({ su: 'caller', rules: [rule(remember)] }));
    assert.equal(await answeredAs(su({ user: 'alice' }), codeNow(rig)), true);
    assert.equal(await begins(rig, su()), 'ask');
  });

  it('a caller without a factor is refused, though the target has one, and no grace period starts', async () => {
    rig.accounts.add('carol', 1002);
    rig.setRealms(realm({ su: 'caller', enrol: 'grace', graceMs: day }));
    assert.equal(await begins(rig, su({ realUid: 1002 })), 'auth-err');
    assert.equal((await rig.store.account('carol')).value, undefined);
  });
});

describe('an account', () => {
  it('is the same, however its name is typed: factors, counts and events are those of the canonical name', async () => {
    const rig = makeRig();
    rig.accounts.add('CORP\\alice', 5000);
    rig.accounts.alias('corp\\Alice', 'CORP\\alice');
    await put(rig, { account: 'CORP\\alice', factors: [totpFactor()] });
    const typed = { user: 'corp\\Alice' };
    assertRefused(await answer(rig, typed, wrongCode(rig)));
    assert.equal((await recordOf(rig, 'CORP\\alice')).lock.any, 1);
    assertAccepted(await answer(rig, { user: 'CORP\\alice' }, codeNow(rig)));
    assertRefused(await answer(rig, typed, codeNow(rig)));
    const events = await rig.store.events({ limit: 10 });
    assert.ok(events.every(({ account }) => account === 'CORP\\alice'));
    assert.equal(await opened(rig, typed).then(() => true), true);
  });
});
