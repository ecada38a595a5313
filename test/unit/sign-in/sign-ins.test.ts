import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Caller } from '../../../daemon/api/access.ts';
import { limits } from '../../../daemon/limits.ts';
import { type ControlRig, startControl, uids } from '../../support/control-rig.ts';
import {
  assertSilent,
  callers,
  done,
  knows,
  outcomeOf,
  people,
  realms,
  refusalOf,
  trailOf,
  withPassword,
} from '../../support/sign-ins.ts';
import { phone } from '../control/records.ts';

/** The first factor of a sign-in: which account, and which callers may verify it. */

let rig: ControlRig;
beforeEach(async () => {
  rig = await startControl({ config: realms });
  knows(rig);
});
afterEach(() => rig.close());

const refusal = 'sign-in-refused: Incorrect account name or password.';
const begin = (user: string, password?: string, caller = callers.portal) =>
  rig.signIns.begin(caller, withPassword(user, password));

describe('a password', () => {
  it('that is right is enough if nothing else is needed', async () => {
    const { person, token } = done(await begin('carol'));
    assert.deepEqual(person, { account: 'carol', uid: uids.carol, admin: false });
    assert.equal((await rig.tokens.holder(token.token))?.uid, uids.carol);
    assert.deepEqual(trailOf(rig), ['login not-needed first-factor']);
    assert.equal(rig.store.trail[0]?.service, 'sallyport-portal');
    assertSilent(rig, 'password of carol', token.token);
  });

  it('given to the command is listed as the command’s, right or wrong', async () => {
    done(await begin('carol', undefined, callers.carol));
    await refusalOf(begin('carol', 'wrong', callers.carol));
    assert.deepEqual(
      rig.store.trail.map(({ service }) => service),
      ['sallyport', 'sallyport'],
    );
  });

  it('of an administrator gives a token of an administrator', async () => {
    const { person, token } = done(await begin('bob'));
    assert.equal(person.admin, true);
    assert.equal((await rig.tokens.holder(token.token))?.admin, true);
  });

  it('that is wrong, a name without an account, an impossible password: one answer, at one interval', async () => {
    const times: number[] = [];
    const timed = async (user: string, password: string) => {
      const began = performance.now();
      const said = await refusalOf(begin(user, password));
      times.push(performance.now() - began);
      return said;
    };
    const said = await Promise.all([
      timed('carol', 'wrong'),
      timed('nobody', 'wrong'),
      timed('nobody', 'password of nobody'),
      timed('', 'wrong'),
      timed('carol', ' '),
      timed('a\nb', 'wrong'),
    ]);
    assert.deepEqual(new Set(said), new Set([refusal]));
    for (const time of times) assert.ok(time >= limits.refusalBeat - 5 && time < 2 * limits.refusalBeat);
  });

  it('is verified for a name without an account too: PAM needs time for both', async () => {
    await Promise.all([refusalOf(begin('nobody', 'x')), refusalOf(begin('carol', 'x'))]);
    assert.deepEqual(rig.passwords.asked.map(([user]) => user).sort(), ['carol', 'nobody']);
  });

  it('is verified by PAM with the canonical name, which is used from then on', async () => {
    assert.equal(done(await begin('CAROL', 'password of carol')).person.account, 'carol');
    assert.deepEqual(rig.passwords.asked, [['carol', undefined]]);
    assert.equal(rig.store.trail[0]?.account, 'carol');
  });

  it('that was wrong leaves one event, and nothing for a name without an account', async () => {
    await Promise.all([refusalOf(begin('carol', 'secret-1')), refusalOf(begin('nobody', 'secret-2'))]);
    assert.deepEqual(trailOf(rig), ['login refused password-wrong']);
    const [event] = rig.store.trail;
    assert.deepEqual(
      [event?.account, event?.firstFactorVerified, event?.service],
      ['carol', false, 'sallyport-portal'],
    );
    assert.ok(!JSON.stringify(rig.store.commits).includes('nobody'));
    assertSilent(rig, 'secret-1', 'secret-2');
  });

  for (const [verdict, said] of [
    ['expired', 'sign-in-refused'],
    ['busy', 'password-unavailable'],
    ['failed', 'password-unavailable'],
  ] as const)
    it(`for which PAM returns ${verdict} signs no one in, and reveals nothing of other names`, async () => {
      rig.passwords.verdict = verdict;
      assert.equal(await outcomeOf(begin('carol')), said);
      const ofOther = await refusalOf(begin('nobody'));
      // A failing verification depends on no name.
      if (said === 'password-unavailable') assert.equal(ofOther, await refusalOf(begin('carol')));
      else assert.equal(ofOther, refusal);
      rig.store.trail.splice(1);
      assert.deepEqual(trailOf(rig), [`login error password-${verdict}`]);
    });

  it('is not verified while NSS fails: no sign-in succeeds, and no name is revealed', async () => {
    rig.names.away = true;
    assert.equal(await outcomeOf(begin('carol')), 'password-unavailable');
    assert.equal(await outcomeOf(begin('nobody')), 'password-unavailable');
    assert.deepEqual(rig.passwords.asked, []);
  });
});

describe('which caller may sign in which account', () => {
  it('the account itself, the portal and root', async () => {
    for (const caller of [callers.carol, callers.portal, callers.root])
      assert.equal(await outcomeOf(begin('carol', undefined, caller)), 'done');
  });

  it('no other user, including administrators; and no password is verified', async () => {
    const tries = [callers.alice, callers.bob].map((caller) => outcomeOf(begin('carol', undefined, caller)));
    assert.deepEqual(await Promise.all(tries), ['not-permitted', 'not-permitted']);
    assert.deepEqual(rig.passwords.asked, []);
  });

  it('by uid only as oneself, which creates a link and no token', async () => {
    rig.passwords.without.add('carol');
    const by = (caller: Caller, user: string) => outcomeOf(rig.signIns.begin(caller, { user, by: 'uid' }));
    assert.equal(await by(callers.carol, 'carol'), 'link');
    for (const caller of [callers.portal, callers.root, callers.bob])
      assert.equal(await by(caller, 'carol'), 'not-permitted');
    assert.equal(await by(callers.carol, 'nobody'), 'not-permitted');
  });
});

describe('tries', () => {
  const many = (count: number, one: (n: number) => Promise<unknown>) =>
    Promise.all(Array.from({ length: count }, (_, n) => one(n)));
  const guess = (user: string, source: string) =>
    refusalOf(rig.signIns.begin(callers.portal, withPassword(user, 'wrong', source)));

  it('of one name are counted from all sources, and a right password then counts as one too', async () => {
    await many(12, (n) => guess('carol', `10.0.0.${n}`));
    assert.equal(rig.passwords.asked.length, limits.unverifiedPerName.burst);
    const right = withPassword('carol', undefined, '10.0.1.1');
    assert.equal(await refusalOf(rig.signIns.begin(callers.portal, right)), refusal);
    assert.equal(rig.passwords.asked.length, limits.unverifiedPerName.burst, 'it was not even looked at');
    rig.clock.mono += limits.unverifiedPerName.forgetOneIn;
    assert.equal(await outcomeOf(rig.signIns.begin(callers.portal, right)), 'done');
  });

  it('from one source are counted whatever the names; setting the wall clock frees none', async () => {
    await many(32, (n) => guess(`nobody${n}`, '10.0.0.1'));
    assert.equal(rig.passwords.asked.length, limits.unverifiedPerSource.burst);
    rig.clock.ahead += 86_400_000;
    await guess('carol', '10.0.0.1');
    assert.equal(rig.passwords.asked.length, limits.unverifiedPerSource.burst);
    const elsewhere = withPassword('carol', undefined, '10.0.0.2');
    assert.equal(await outcomeOf(rig.signIns.begin(callers.portal, elsewhere)), 'done');
  });

  it('of strangers at one name do not affect users who signed in from there before, or have a session', async () => {
    const from = (source: string, token?: string) =>
      outcomeOf(rig.signIns.begin(callers.portal, withPassword('carol', undefined, source), token));
    const { token } = done(
      await rig.signIns.begin(callers.portal, withPassword('carol', undefined, '10.0.1.1')),
    ).token;
    await many(20, (n) => guess('carol', `10.0.0.${n}`));
    assert.equal(await from('10.0.1.2'), 'sign-in-refused');
    assert.equal(await from('10.0.1.1'), 'done');
    assert.equal(await from('10.0.1.3', token), 'done');
    const another = done(await begin('bob')).token.token;
    assert.equal(await from('10.0.1.4', another), 'sign-in-refused', 'a session of another is none');
    assert.equal(await from('10.0.1.5', 'made up'), 'sign-in-refused');
  });

  it('from a familiar source are counted separately', async () => {
    await rig.signIns.begin(callers.portal, withPassword('carol', undefined, '2001:db8::1'));
    await many(15, (n) => guess('carol', `2001:db8::${n + 2}`));
    assert.equal(rig.passwords.asked.length, 1 + limits.unverifiedPerName.burst);
    const right = withPassword('carol', undefined, '10.0.0.1');
    assert.equal(await outcomeOf(rig.signIns.begin(callers.portal, right)), 'done');
  });

  it('never send the helper more at a time than it answers, whoever asks', async () => {
    await Promise.all([
      many(100, (n) => guess(`name ${n}`, `10.1.0.${n}`)),
      many(30, (n) => outcomeOf(rig.signIns.begin(callers.carol, withPassword('carol', `wrong ${n}`)))),
    ]);
    const { portal, local } = limits.signInSlots;
    assert.ok(rig.passwords.most <= portal + local);
  });

  it('that were right cost nothing', async () => {
    for (let times = 0; times < 2 * limits.unverifiedPerName.burst; times += 1)
      assert.equal(await outcomeOf(begin('carol')), 'done');
  });

  it('belong to the uid unless the portal or root asks, whatever source it reports', async () => {
    const own = (n: number) => rig.signIns.begin(callers.carol, withPassword('carol', 'x', `10.0.0.${n}`));
    await many(limits.unverifiedPerName.burst, (n) => refusalOf(own(n)));
    assert.ok(rig.passwords.asked.every(([, source]) => source === undefined));
    assert.ok(rig.store.trail.every(({ source }) => source === undefined));
    // Her name is used up, and from the uid some are left.
    rig.clock.mono += limits.unverifiedPerName.burst * limits.unverifiedPerName.forgetOneIn;
    assert.equal(await outcomeOf(begin('carol', undefined, callers.carol)), 'done');
  });

  it('of a local user use up those of no other', async () => {
    await many(20, () => outcomeOf(begin('alice', 'x', callers.carol)));
    await rig.store.put('alice', { factors: [phone] });
    assert.equal(await outcomeOf(begin('alice')), 'factor');
  });

  it('while passwords cannot be verified do not count for the name', async () => {
    rig.passwords.verdict = 'busy';
    await many(12, (n) =>
      outcomeOf(rig.signIns.begin(callers.portal, withPassword('carol', 'x', `10.0.0.${n}`))),
    );
    rig.passwords.verdict = undefined;
    assert.equal(await outcomeOf(begin('carol')), 'done');
  });

  it('for links of one uid are limited: no user fills the audit trail', async () => {
    rig.passwords.without.add('carol');
    const links = (count: number) =>
      many(count, () => outcomeOf(rig.signIns.begin(callers.carol, { user: 'carol', by: 'uid' })));
    const { burst } = limits.unverifiedPerSource;
    assert.deepEqual(new Set(await links(burst)), new Set(['link']));
    assert.deepEqual(new Set(await links(10)), new Set(['sign-in-refused']));
    assert.equal(rig.store.trail.length, burst);
    assert.equal(await outcomeOf(begin('carol')), 'done', 'her password is another matter');
  });

  it("the portal's source is trusted: PAM gets it, and the event contains it", async () => {
    await guess('carol', '10.0.0.9');
    assert.deepEqual(rig.passwords.asked, [['carol', '10.0.0.9']]);
    assert.equal(rig.store.trail[0]?.source, '10.0.0.9');
    await guess('carol', '10.0.0.9\u001b[2J');
    assert.equal(rig.store.trail[1]?.source, '10.0.0.9?[2J');
  });
});

describe('an account without a factor', () => {
  it('may add its first one if the realm allows it, with only the password', async () => {
    for (const user of ['carol', 'dave', 'erin']) assert.equal(await outcomeOf(begin(user)), 'done', user);
    assert.deepEqual(
      trailOf(rig),
      Array.from({ length: 3 }, () => 'login not-needed first-factor'),
    );
  });

  it('is refused if the realm does not, with one event', async () => {
    assert.equal(await outcomeOf(begin('alice')), 'sign-in-refused');
    assert.deepEqual(trailOf(rig), ['login refused no-factor']);
  });

  it('is refused by a rule like any other', async () => {
    assert.equal(await outcomeOf(begin('frank')), 'sign-in-refused');
    assert.deepEqual(trailOf(rig), ['login refused rule-refuse']);
  });

  it('where one is required gets a token only for itself, even an administrator', async () => {
    rig.names.admins.add('dave');
    const { person, token } = done(await begin('dave'));
    assert.equal(person.admin, false);
    const holder = await rig.tokens.holder(token.token);
    assert.deepEqual([holder?.uid, holder?.admin, holder?.onlyOwn], [people.dave, false, true]);
  });

  it('has one again once something is stored of it, used up or disabled', async () => {
    await rig.store.put('dave', { factors: [{ ...phone, enabled: false }] });
    assert.equal(await outcomeOf(begin('dave')), 'sign-in-refused');
    assert.deepEqual(trailOf(rig), ['login refused all-disabled']);
  });

  it('gets no more for used-up recovery keys, or for an ended bypass code', async () => {
    rig.names.admins.add('dave');
    const salted = { keyId: 'k1', salt: 'AAAA' };
    const ended = {
      ...salted,
      kind: 'bypass',
      hash: 'AAAA',
      until: 2_000,
      id: 'b1',
      name: 'b',
      created: 1_000,
    } as const;
    const usedUp = {
      ...salted,
      kind: 'recovery',
      hashes: [null],
      id: 'r1',
      name: 'r',
      created: 1_000,
    } as const;
    for (const left of [ended, usedUp]) {
      await rig.store.put('dave', { factors: [{ ...left, enabled: true }] });
      const { token } = done(await begin('dave'));
      const holder = await rig.tokens.holder(token.token);
      assert.deepEqual([holder?.admin, holder?.onlyOwn], [false, true], left.kind);
    }
  });

  it('is allowed while the store cannot be written, and the log has the event', async () => {
    rig.store.breakWrites('disk full');
    assert.equal(await outcomeOf(begin('carol')), 'done');
    assert.ok(rig.logged.some((line) => line.includes('first-factor')));
  });
});
