import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { limits } from '../../../daemon/limits.ts';
import type { LoginFacts } from '../../../daemon/policy/contract.ts';
import type { Verdict } from '../../../daemon/verifier/verifier.ts';
import {
  answer,
  answered,
  assertAccepted,
  assertRefused,
  codeNow,
  eventsOf,
  hotpFactor,
  isAccepted,
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
  wrongCodes,
  wrongKey,
} from '../../support/verifier-rig.ts';
import { facts, members, realm, remember, rule } from '../policy/support.ts';

const people: Record<string, string> = {
  alice: 'has a factor',
  bare: 'has none, where one is required',
  disabled: 'has all of them disabled',
  locked: 'is locked',
  coded: 'has typed codes locked',
  barred: 'is refused by a rule',
  unfit: 'has none that fits',
  waiting: 'has no factor, and a grace that never began',
  ended: 'has no factor, and a grace that is over',
  nobody: 'is no account',
};

async function crowd(): Promise<Rig> {
  const rig = makeRig(
    realm({ name: 'barred', members: members({ users: ['barred'] }), rules: [rule({ kind: 'refuse' })] }),
    realm({ name: 'unfit', members: members({ users: ['unfit'] }), require: ['yubikey'] }),
    realm({
      name: 'grace',
      members: members({ users: ['waiting', 'ended'] }),
      enrol: 'grace',
      graceMs: 60_000,
    }),
    realm({ name: 'free', members: members({ users: ['free'] }), require: 'none' }),
    realm(),
  );
  const factors = [totpFactor()];
  for (const [uid, account] of [
    'bare',
    'disabled',
    'locked',
    'coded',
    'barred',
    'unfit',
    'waiting',
    'ended',
    'free',
  ].entries())
    rig.accounts.add(account, 3000 + uid);
  await put(rig, { account: 'alice', factors });
  await put(rig, { account: 'disabled', factors: [totpFactor({ enabled: false })] });
  await put(rig, { account: 'locked', factors, lock: { codes: 0, any: 100, lockedAt: rig.clock.at } });
  await put(rig, { account: 'coded', factors, lock: { codes: 8, any: 8, codesLockedAt: rig.clock.at } });
  await put(rig, { account: 'barred', factors });
  await put(rig, { account: 'unfit', factors });
  await put(rig, { account: 'ended', graceStarted: rig.clock.at - 120_000 });
  return rig;
}

/** Each from a separate address: the rate limiter of one source is not compared here. */
function from(number: number, user: string, more: Partial<LoginFacts> = {}): Partial<LoginFacts> {
  const source = `198.51.100.${number}`;
  return { user, rhost: source, source, firstFactorVerified: false, ...more };
}

/** A verdict as it is visible outside. */
function shown(verdict: Verdict): unknown {
  const { login: _, ...rest } = verdict as Verdict & { login?: unknown };
  return rest;
}

describe('an unverified login', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await crowd();
  });

  for (const [mode, prompts] of [
    ['prompt', 1],
    ['password-and-code', 1],
    ['first-pass', 1],
  ] as const) {
    it(`gets one prompt whatever the name is (${mode}), without access to store or NSS before`, async () => {
      rig.store.reads = 0;
      rig.accounts.asked = 0;
      const openings = await Promise.all(
        Object.keys(people).map((user, each) => rig.verifier.open(facts(from(each, user, { mode })))),
      );
      const prompt = new Set(openings.map((opening) => JSON.stringify({ ...opening, login: 0 })));
      assert.equal(prompt.size, prompts);
      assert.ok(openings.every(({ kind }) => kind === 'ask'));
      assert.deepEqual([rig.store.reads, rig.accounts.asked], [0, 0]);
      assert.ok(!/alice|TOTP|recovery|phone/i.test([...prompt].join()));
    });
  }

  for (const [what, text] of [
    ['a wrong code', (): string => wrongCode(rig)],
    ['a wrong recovery key', (): string => wrongKey],
    ['the shape of nothing', (): string => 'hunter2'],
    ['Enter alone', (): string => ''],
  ] as const) {
    it(`gets the same response after ${what}, at the same time, whatever the name is`, async () => {
      const seen = new Map<string, string>();
      for (const [each, user] of Object.keys(people).entries()) {
        const verdict = assertRefused(await answer(rig, from(each, user), text()));
        assert.equal(verdict.result, 'auth-err');
        assert.equal(verdict.text, undefined);
        seen.set(JSON.stringify(shown(verdict)), user);
      }
      assert.deepEqual([...seen.values()].length, 1, JSON.stringify([...seen]));
    });
  }

  it('gets the same response after a right code that is not enough', async () => {
    const seen = new Set<string>();
    for (const [each, user] of Object.keys(people).entries()) {
      if (user === 'alice') continue;
      seen.add(JSON.stringify(shown(await answer(rig, from(each, user), codeNow(rig)))));
    }
    seen.add(JSON.stringify(shown(await answer(rig, from(50, 'alice'), wrongCode(rig)))));
    assert.equal(seen.size, 1, [...seen].join('\n'));
  });

  it('gets the same response after a replay as after a wrong code', async () => {
    const code = codeNow(rig);
    assertAccepted(await answer(rig, from(1, 'alice'), code));
    const replay = shown(await answer(rig, from(2, 'alice'), code));
    assert.deepEqual(replay, shown(await answer(rig, from(3, 'nobody'), wrongCode(rig))));
  });

  it('is told of a damaged record only that it failed, and no sooner', async () => {
    rig.store.damage('alice');
    const verdict = assertRefused(await answer(rig, from(1, 'alice'), codeNow(rig)));
    const nobody = assertRefused(await answer(rig, from(2, 'nobody'), codeNow(rig)));
    assert.deepEqual([verdict.delay, verdict.text], [nobody.delay, nobody.text]);
    assert.ok(verdict.delay > 0 && verdict.delay <= 250);
    assert.ok(rig.logged.some(({ event }) => event === 'login-error'));
  });

  it('is an error for every name while NSS fails, with a right code too', async () => {
    rig.accounts.unavailable = 'timed out';
    const seen = new Set<string>();
    for (const [each, user] of Object.keys(people).entries())
      seen.add(JSON.stringify(shown(assertRefused(await answer(rig, from(each, user), codeNow(rig))))));
    assert.equal(seen.size, 1);
    assert.ok([...seen][0]?.includes('system-err'));
  });

  it('is told nothing of groups that do not resolve', async () => {
    const staff = realm({ name: 'staff', members: members({ groups: ['staff'] }) });
    rig.setRealms(staff, realm({ name: 'rest', require: 'none' }));
    rig.accounts.add('alice', 1000, { staff: 'unresolved' });
    for (const text of [codeNow(rig), wrongCode(rig), 'hunter2']) {
      const verdict = assertRefused(await answer(rig, from(1, 'alice'), text));
      assert.equal(verdict.text, undefined);
      assert.ok(verdict.delay > 0 && verdict.delay <= 250);
    }
  });

  it('is never allowed by a failed commit', async () => {
    rig.store.breakWrites('no space left');
    const verdict = assertRefused(await answer(rig, from(1, 'alice'), codeNow(rig)));
    assert.equal(verdict.result, 'system-err');
    assert.equal(assertRefused(await answer(rig, from(2, 'nobody'), codeNow(rig))).result, 'auth-err');
  });

  it('ends at the next quarter of a second, however long it took', async () => {
    const at = async (took: number): Promise<number> => {
      const login = await opened(rig, from(1, 'bare'));
      const account = rig.store.account.bind(rig.store);
      rig.store.account = (name) => {
        rig.clock.mono += took;
        return account(name);
      };
      const { delay } = assertRefused(await answered(rig, login, wrongCode(rig)));
      rig.store.account = account;
      assert.ok(delay > 0 && delay <= 250, String(delay));
      return took + delay;
    };
    assert.equal(await at(0), 250);
    assert.equal(await at(1), 250);
    assert.equal(await at(249), 250);
    assert.equal(await at(251), 500);
    assert.equal(await at(3_333), 3_500);
  });

  it('accepts a right factor of each kind, reports nothing of what is left, and uses it', async () => {
    await put(rig, { factors: [totpFactor(), hotpFactor(), recoveryFactor(recoveryKeys.slice(0, 2))] });
    for (const text of [codeNow(rig), press(0), recoveryKeys[0] ?? '']) {
      assert.deepEqual(await answer(rig, from(1, 'alice'), text), {
        kind: 'accepted',
        result: 'success',
        strip: 0,
      });
      assertRefused(await answer(rig, from(1, 'alice'), text));
    }
  });

  it('accepts one code once though 64 arrive at once', async () => {
    const code = codeNow(rig);
    const verdicts = await Promise.all(
      Array.from({ length: 64 }, (_, each) => answer(rig, from(each, 'alice'), code)),
    );
    assert.equal(verdicts.filter(isAccepted).length, 1);
  });

  it('stores nothing for names that are not accounts, and one log line counts them', async () => {
    const commits = rig.store.commits.length;
    for (let each = 0; each < 20; each += 1) await answer(rig, from(each, `nobody${each}`), wrongCode(rig));
    for (let each = 0; each < 20; each += 1) {
      await rig.verifier.abandon(await opened(rig, from(each, 'nobody')), 'cancelled');
    }
    assert.equal(rig.store.commits.length, commits);
    assert.equal(rig.unknownNames.length, 20);
    assert.ok(!JSON.stringify([rig.logged, rig.unknownNames]).includes('nobody'), 'the name is told nowhere');
  });

  it('counts for no account: it locks and delays none', async () => {
    for (let each = 0; each < 9; each += 1) await answer(rig, from(each, 'alice'), wrongCode(rig));
    assert.deepEqual((await recordOf(rig)).lock, { codes: 0, any: 0 });
    const proven = assertRefused(await answer(rig, {}, wrongCode(rig)));
    assert.equal(proven.delay, 0);
  });

  it('starts no grace period', async () => {
    const commits = rig.store.commits.filter(({ accounts }) => accounts.some(({ write }) => write)).length;
    for (const text of [wrongCode(rig), codeNow(rig)])
      assertRefused(await answer(rig, from(1, 'waiting'), text));
    const after = rig.store.commits.filter(({ accounts }) => accounts.some(({ write }) => write)).length;
    assert.equal(after, commits);
  });

  it('creates no grant', async () => {
    rig.setRealms(realm({ rules: [rule(remember)] }));
    assertAccepted(await answer(rig, from(1, 'alice'), codeNow(rig)));
    assert.deepEqual((await recordOf(rig)).grants, []);
    assert.equal(
      (await rig.verifier.open(facts(from(1, 'alice', { firstFactorVerified: true })))).kind,
      'ask',
    );
  });

  for (const [what, text] of [
    ['a code', '123456'],
    ['a password', 'hunter2'],
    ['Enter alone', ''],
    ['a whole sentence', 'correct horse battery staple'],
  ]) {
    for (const mode of ['prompt', 'password-and-code', 'first-pass'] as const) {
      it(`drops any answer if nothing is needed, and IGNORE follows: ${what} (${mode})`, async () => {
        const verdict = await answer(rig, from(1, 'free', { mode }), text ?? '');
        // At the fixed interval: only accounts could show a difference.
        assert.deepEqual(verdict, {
          kind: 'accepted',
          result: 'ignore',
          strip: 0,
          delay: limits.refusalBeat,
        });
      });
    }
  }

  it('is not prompted again after an answer of unknown format', async () => {
    for (const user of ['alice', 'nobody'])
      assert.equal(assertRefused(await answer(rig, from(1, user), 'hunter2')).again, false);
  });
});

describe('the rate limiter of unverified logins', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await crowd();
  });
  const evaluated = async (): Promise<number> => (await eventsOf(rig)).length;

  for (const user of ['alice', 'nobody']) {
    it(`rejects a name after ${limits.unverifiedPerName.burst} failures from anywhere, account or not: ${user}`, async () => {
      for (let each = 0; each < limits.unverifiedPerName.burst; each += 1)
        await answer(rig, from(each, user), wrongCode(rig));
      assert.equal(rig.rateLimited.length, 0);
      const turnedAway = await answer(rig, from(200, user), wrongCode(rig));
      assert.equal(rig.rateLimited.length, 1);
      assert.deepEqual(shown(turnedAway), shown(await answer(rig, from(201, 'somebody'), wrongCode(rig))));
    });
  }

  it('does not verify rejected answers: a right code is refused, and not used', async () => {
    for (const code of wrongCodes(rig, limits.unverifiedPerName.burst))
      await answer(rig, from(1, 'alice'), code);
    const count = await evaluated();
    assertRefused(await answer(rig, from(2, 'alice'), codeNow(rig)));
    assert.equal(await evaluated(), count);
    rig.clock.pass(limits.unverifiedPerName.forgetOneIn);
    assertAccepted(await answer(rig, from(2, 'alice'), codeNow(rig)));
  });

  it('rejects a source, whatever the names are', async () => {
    for (let each = 0; each < limits.unverifiedPerSource.burst; each += 1)
      await answer(rig, from(1, `name${each}`), wrongCode(rig));
    assertRefused(await answer(rig, from(1, 'alice'), codeNow(rig)));
    assertAccepted(await answer(rig, from(2, 'alice'), codeNow(rig)));
  });

  it('does not affect logins with a verified first factor', async () => {
    for (let each = 0; each < 40; each += 1) await answer(rig, from(1, 'alice'), wrongCode(rig));
    assertAccepted(await answer(rig, { rhost: '198.51.100.1', source: '198.51.100.1' }, codeNow(rig)));
  });

  it('does not count a success or an answer of unknown format', async () => {
    for (let each = 0; each < 40; each += 1) await answer(rig, from(1, 'alice'), 'hunter2');
    await put(rig, { factors: [hotpFactor()] });
    for (let each = 0; each < 40; each += 1) assertAccepted(await answer(rig, from(1, 'alice'), press(each)));
  });

  it('counts concurrent guesses like consecutive ones', async () => {
    await Promise.all(wrongCodes(rig, 200).map((code, each) => answer(rig, from(each % 250, 'alice'), code)));
    const count = await evaluated();
    assert.ok(count <= limits.unverifiedPerName.burst, `${count} guesses at one account were judged`);
  });

  it('counts concurrent guesses of one source', async () => {
    for (let each = 0; each < 100; each += 1) rig.accounts.add(`user${each}`, 4000 + each);
    await Promise.all(wrongCodes(rig, 100).map((code, each) => answer(rig, from(1, `user${each}`), code)));
    const count = await evaluated();
    assert.ok(count <= limits.unverifiedPerSource.burst, `${count} guesses from one source were judged`);
  });

  it('accepts a legitimate user beside many concurrent attempts at one name: those under way are no failures yet', async () => {
    await put(rig, { factors: [hotpFactor()] });
    const verdicts = await Promise.all(
      [0, 1, 2].map((each) => answer(rig, from(each, 'alice'), press(each))),
    );
    assert.ok(verdicts.some(isAccepted));
  });

  it('ends the call after one answer of any format: for unknown names sshd sends junk instead', async () => {
    await put(rig, { factors: [hotpFactor()] });
    for (const user of ['alice', 'nobody-of-that-name'])
      for (const typed of ['000000', 'hunter2'])
        assert.equal(assertRefused(await answer(rig, from(1, user), typed)).again, false, `${user} ${typed}`);
  });
});

describe('pam-user.sock', () => {
  let rig: Rig;
  const user = (more: Partial<LoginFacts> = {}): Partial<LoginFacts> => ({
    service: 'swaylock',
    firstFactorVerified: false,
    rootSocket: false,
    peerUid: 1000,
    realUid: 1000,
    ...more,
  });
  beforeEach(async () => {
    rig = await crowd();
    await put(rig, { account: 'bob', factors: [hotpFactor()] });
  });

  it('allows a uid to log in itself', async () => {
    assertAccepted(await answer(rig, user(), codeNow(rig)));
  });

  it('allows no uid to log in another, with a right code, including root and accounts that need nothing', async () => {
    rig.accounts.add('root', 0);
    await put(rig, { account: 'root', factors: [hotpFactor()] });
    for (const name of ['bob', 'root', 'free', 'nobody']) {
      const verdict = assertRefused(await answer(rig, user({ user: name }), press(0)));
      assert.equal(verdict.result, 'auth-err');
    }
    for (const account of ['bob', 'root'])
      assert.deepEqual((await recordOf(rig, account)).factors, [hotpFactor()]);
  });

  it('uses the uid of the socket, and not the one in HELLO', async () => {
    assertRefused(await answer(rig, user({ user: 'bob', realUid: 1001 }), press(0)));
    assertAccepted(await answer(rig, user({ realUid: 1001 }), codeNow(rig)));
  });

  it('answers alike for an account of another uid and a name without an account', async () => {
    const seen = ['bob', 'nobody', 'free', 'locked'].map((name) =>
      answer(rig, user({ user: name }), wrongCode(rig)),
    );
    assert.equal(new Set((await Promise.all(seen)).map((verdict) => JSON.stringify(shown(verdict)))).size, 1);
  });

  it('does not give su access to the factors of others', async () => {
    rig.setRealms(realm({ su: 'caller' }));
    const su = user({ service: 'su', realUid: 1001 });
    assertRefused(await answer(rig, su, press(0)));
    assert.deepEqual((await recordOf(rig, 'bob')).factors, [hotpFactor()]);
    assertAccepted(await answer(rig, su, codeNow(rig)));
  });

  it('matches no rule', async () => {
    for (const action of [{ kind: 'skip' }, { kind: 'refuse' }, remember] as const) {
      rig.setRealms(realm({ rules: [rule(action)] }));
      const verdict = await answer(rig, user(), wrongCode(rig));
      assert.equal(assertRefused(verdict).result, 'auth-err');
      assert.equal(assertRefused(verdict).again, false);
    }
    assertAccepted(await answer(rig, user(), codeNow(rig)));
    assert.deepEqual((await recordOf(rig)).grants, []);
  });

  it('limits failures of one uid only for that uid, and not for that name on the root socket', async () => {
    for (let each = 0; each < limits.unverifiedPerSource.burst; each += 1)
      await answer(rig, user(), wrongCode(rig));
    assertRefused(await answer(rig, user(), codeNow(rig)));
    assertAccepted(await answer(rig, from(1, 'alice'), codeNow(rig)));
    assertAccepted(await answer(rig, user({ user: 'bob', peerUid: 1001 }), press(0)));
  });

  it('does not let a uid use up the attempts of another name on the root socket', async () => {
    for (let each = 0; each < limits.unverifiedPerName.burst + 5; each += 1)
      await answer(rig, user({ user: 'bob' }), wrongCode(rig));
    assertAccepted(await answer(rig, from(1, 'bob'), press(0)));
  });
});
