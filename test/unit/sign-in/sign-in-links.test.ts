import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { LinkView } from '../../../daemon/api/sign-in-views.ts';
import { createClient } from '../../../daemon/client/client.ts';
import { limits } from '../../../daemon/limits.ts';
import { totp } from '../../support/codes.ts';
import { type ControlRig, startControl, uids } from '../../support/control-rig.ts';
import {
  asked,
  assertSilent,
  callers,
  done,
  knows,
  linkIn,
  origin,
  outcomeOf,
  people,
  realms,
  trailOf,
  withPassword,
} from '../../support/sign-ins.ts';
import { phone, seed } from '../control/records.ts';

/** Replacements of the password: sign-in links and invites. */

let rig: ControlRig;
beforeEach(async () => {
  rig = await startControl({ config: realms });
  knows(rig);
  for (const user of ['bob', 'carol']) rig.passwords.without.add(user);
});
afterEach(() => rig.close());

const ownLink = async () => linkIn(await rig.signIns.begin(callers.carol, { user: 'carol', by: 'uid' }));
const open = (link: string, password?: string, caller = callers.portal, user = '') =>
  rig.signIns.begin(caller, { user, by: 'link', link, ...(password === undefined ? {} : { password }) });
const invited = async (user: string, withoutPassword: boolean): Promise<LinkView> =>
  createClient({ socket: rig.socket }).invite(user, withoutPassword);

describe('a sign-in link', () => {
  it('leads to the portal, and replaces the password', async () => {
    const before = Date.now();
    const { link, url, expires } = await ownLink();
    assert.equal(url, `${origin}/sign-in#link=${link}`);
    assert.equal(Buffer.from(link, 'base64url').length, 16);
    const made = expires - 10 * 60_000;
    assert.ok(made >= before && made <= Date.now());
    assert.equal(done(await open(link)).person.account, 'carol');
    assert.deepEqual(rig.passwords.asked, []);
    assertSilent(rig, link);
  });

  it('is valid once, also for two concurrent uses', async () => {
    const { link } = await ownLink();
    const outcomes = await Promise.all([outcomeOf(open(link)), outcomeOf(open(link))]);
    assert.deepEqual(outcomes.sort(), ['done', 'sign-in-refused']);
    assert.equal(await outcomeOf(open(link)), 'sign-in-refused');
  });

  it('is valid for ten minutes by a monotonic clock', async () => {
    const [early, late] = [await ownLink(), await ownLink()];
    rig.clock.ahead += 86_400_000;
    rig.clock.mono += limits.linkDeadline - 1_000;
    assert.equal(await outcomeOf(open(early.link)), 'done');
    rig.clock.ahead -= 2 * 86_400_000;
    rig.clock.mono += 1_000;
    assert.equal(await outcomeOf(open(late.link)), 'sign-in-refused');
  });

  it('belongs to its own uid: other users of this machine cannot use it', async () => {
    const { link } = await ownLink();
    assert.equal(await outcomeOf(open(link, undefined, callers.bob)), 'not-permitted');
    const again = await ownLink();
    assert.equal(await outcomeOf(open(again.link, undefined, callers.carol)), 'done');
  });

  it('asks for a factor if there is one, when it is created and when it is used', async () => {
    await rig.store.put('carol', { factors: [phone] });
    const { id } = asked(await rig.signIns.begin(callers.carol, { user: 'carol', by: 'uid' }));
    const code = { kind: 'typed', answer: totp(seed) } as const;
    const { link } = linkIn(await rig.signIns.answer(callers.carol, id, code));
    asked(await open(link));
  });

  it('is created only for an account that is known to have no password', async () => {
    for (const [user, caller] of [
      ['alice', callers.alice],
      ['dave', { ...callers.alice, uid: people.dave }],
    ] as const) {
      assert.equal(await outcomeOf(rig.signIns.begin(caller, { user, by: 'uid' })), 'password-needed', user);
      rig.passwords.without.add(user);
    }
    await rig.store.put('alice', { factors: [phone] });
    asked(await rig.signIns.begin(callers.alice, { user: 'alice', by: 'uid' }));
    rig.passwords.without.delete('alice');
    assert.equal(
      await outcomeOf(rig.signIns.begin(callers.alice, { user: 'alice', by: 'uid' })),
      'password-needed',
      'a factor does not stand in for the password either',
    );
  });

  it('gives an administrator with a password and no factor nothing through the uid', async () => {
    rig.passwords.without.delete('bob');
    const asked = rig.signIns.begin(callers.bob, { user: 'bob', by: 'uid' });
    assert.equal(await outcomeOf(asked), 'password-needed');
    assert.deepEqual(trailOf(rig), []);
    assert.equal(done(await rig.signIns.begin(callers.bob, withPassword('bob'))).person.admin, true);
  });

  it('does not replace a password that was set after it was created', async () => {
    const { link } = await ownLink();
    rig.passwords.without.delete('carol');
    assert.equal(await outcomeOf(open(link)), 'sign-in-refused');
    assert.equal(await outcomeOf(open(link, 'password of carol')), 'sign-in-refused', 'it is used up');
  });

  it('of root itself needs no such thing, when it is created and when it is opened', async () => {
    rig.names.people.set('grace', 0);
    const { link } = linkIn(await rig.signIns.begin(callers.root, { user: 'grace', by: 'uid' }));
    assert.equal(await outcomeOf(open(link)), 'done');
  });

  it('belongs to a uid: another account that got the name cannot use it', async () => {
    const { link } = await ownLink();
    rig.names.people.set('carol', uids.carol + 100);
    assert.equal(await outcomeOf(open(link)), 'sign-in-refused');
  });

  it('of a deleted account is refused', async () => {
    const { link } = await ownLink();
    rig.names.people.delete('carol');
    assert.equal(await outcomeOf(open(link)), 'sign-in-refused');
  });

  it('of others stays, however many a user creates', async () => {
    const { link } = await ownLink();
    const bobs: string[] = [];
    for (let times = 0; times <= limits.linksPerAccount; times += 1)
      bobs.push(linkIn(await rig.signIns.begin(callers.bob, { user: 'bob', by: 'uid' })).link);
    assert.equal(await outcomeOf(open(bobs[0] ?? '')), 'sign-in-refused', 'the oldest of his gave way');
    assert.equal(await outcomeOf(open(link)), 'done');
  });

  it('that is invalid is refused like a wrong password', async () => {
    for (const link of ['', 'x', 'a.b', '.', 'Y2Fyb2w.', `${Buffer.from('carol').toString('base64url')}.x`])
      assert.equal(await outcomeOf(open(link, 'password of carol')), 'sign-in-refused', link);
    assert.deepEqual(rig.passwords.asked, []);
  });
});

describe('an invite', () => {
  it('allows a new user to add a first factor with the password, if the realm does not', async () => {
    const { link, url } = await invited('alice', false);
    assert.equal(url, `${origin}/invite#${link}`);
    assert.equal(await outcomeOf(open(link)), 'password-needed');
    const { person, token } = done(await open(link, 'password of alice'));
    assert.equal(person.account, 'alice');
    assert.equal((await rig.tokens.holder(token.token))?.onlyOwn, true);
    assert.deepEqual(trailOf(rig), [
      'invited done with-password',
      'invited success used',
      'login not-needed first-factor',
    ]);
    assertSilent(rig, link.split('.')[1] ?? '');
    assert.ok(!JSON.stringify(await rig.store.get('alice')).includes(link.split('.')[1] ?? '-'));
  });

  it('says that it needs no password if an administrator chose so', async () => {
    const { link } = await invited('alice', true);
    assert.equal(done(await open(link)).person.account, 'alice');
    assert.deepEqual(rig.passwords.asked, []);
  });

  it('with a wrong password is refused, and is not used up by a typing slip', async () => {
    const { link } = await invited('alice', false);
    assert.equal(await outcomeOf(open(link, 'passwort of alice')), 'sign-in-refused');
    rig.passwords.verdict = 'busy';
    assert.equal(await outcomeOf(open(link, 'password of alice')), 'password-unavailable');
    rig.passwords.verdict = undefined;
    assert.equal(await outcomeOf(open(link, 'password of alice')), 'done');
  });

  it('tried by a session for another name uses up no attempts of sessions of that name', async () => {
    await invited('carol', false);
    const ofBob = done(await rig.signIns.begin(callers.portal, withPassword('bob'))).token.token;
    const ofCarol = done(await rig.signIns.begin(callers.portal, withPassword('carol'))).token.token;
    const link = `${Buffer.from('carol').toString('base64url')}.guessed`;
    for (let n = 0; n < 2 * limits.unverifiedPerName.burst; n += 1)
      await outcomeOf(
        rig.signIns.begin(
          callers.portal,
          { user: 'bob', source: `10.0.1.${n}`, by: 'link', link, password: 'x' },
          ofBob,
        ),
      );
    const confirms = {
      user: 'carol',
      source: '10.0.2.1',
      by: 'password',
      password: 'password of carol',
    } as const;
    assert.equal(await outcomeOf(rig.signIns.begin(callers.portal, confirms, ofCarol)), 'done');
  });

  it('allows no more password guesses than a name has attempts, whatever name is given, however it is written', async () => {
    const { link: made } = await invited('alice', false);
    const [name = '', secret = ''] = made.split('.');
    const links = Array.from({ length: 14 }, (_, n) => `${name}${'='.repeat(n)}.${secret}`);
    const guesses = links.map((link, n) =>
      outcomeOf(
        rig.signIns.begin(callers.portal, {
          user: `somebody${n}`,
          source: `10.0.0.${n}`,
          by: 'link',
          link,
          password: `guess ${n}`,
        }),
      ),
    );
    assert.deepEqual(new Set(await Promise.all(guesses)), new Set(['sign-in-refused']));
    assert.equal(rig.passwords.asked.length, limits.unverifiedPerName.burst);
  });

  for (const withoutPassword of [true, false])
    it(`is valid once, also for ten concurrent uses (${withoutPassword ? 'without' : 'with'} a password)`, async () => {
      const { link } = await invited('dave', withoutPassword);
      const password = withoutPassword ? undefined : 'password of dave';
      const outcomes = await Promise.all(Array.from({ length: 10 }, () => outcomeOf(open(link, password))));
      assert.equal(outcomes.filter((outcome) => outcome === 'done').length, 1);
      assert.equal(trailOf(rig).filter((line) => line === 'invited success used').length, 1);
      assert.equal(await outcomeOf(open(link, password)), 'sign-in-refused');
    });

  it('is valid for a day', async () => {
    const { link } = await invited('dave', true);
    rig.clock.ahead += limits.inviteDeadline - 60_000;
    const { link: later } = await invited('erin', true);
    assert.equal(await outcomeOf(open(link)), 'done');
    rig.clock.ahead += limits.inviteDeadline;
    assert.equal(await outcomeOf(open(later)), 'sign-in-refused');
  });

  it('does not count while the clock is before its creation', async () => {
    const { link } = await invited('dave', true);
    rig.clock.ahead -= 60_000;
    assert.equal(await outcomeOf(open(link)), 'sign-in-refused');
    rig.clock.ahead += 60_000;
    assert.equal(await outcomeOf(open(link)), 'done');
  });

  it('belongs to one account: another name before its secret opens nothing', async () => {
    const { link } = await invited('dave', true);
    await invited('erin', true);
    const [, secret = ''] = link.split('.');
    const forged = `${Buffer.from('erin').toString('base64url')}.${secret}`;
    assert.equal(await outcomeOf(open(forged)), 'sign-in-refused');
    assert.equal(await outcomeOf(open(link, undefined, callers.bob)), 'not-permitted');
    assert.equal(done(await open(link)).person.account, 'dave', 'that did not use it up');
  });

  it('created again voids the former one', async () => {
    const [before, after] = [await invited('dave', true), await invited('dave', true)];
    assert.equal(await outcomeOf(open(before.link)), 'sign-in-refused');
    assert.equal(await outcomeOf(open(after.link)), 'done');
  });

  it('for a user with factors replaces the password, and no factor', async () => {
    await rig.store.put('alice', { factors: [phone] });
    const { link } = await invited('alice', true);
    const { id } = asked(await open(link));
    assert.equal((await rig.store.get('alice'))?.invite, undefined, 'it is used up all the same');
    done(await rig.signIns.answer(callers.portal, id, { kind: 'typed', answer: totp(seed) }));
  });

  it('does not override a rule that refuses', async () => {
    const { link } = await invited('frank', true);
    assert.equal(await outcomeOf(open(link)), 'sign-in-refused');
    assert.equal(trailOf(rig).at(-1), 'login refused rule-refuse');
  });

  it('makes no user an administrator', async () => {
    rig.names.admins.add('dave');
    const { link } = await invited('dave', true);
    const { token, person } = done(await open(link));
    assert.equal(person.admin, false);
    assert.equal((await rig.tokens.holder(token.token))?.admin, false);
  });

  it('is neither used up nor accepted if the store cannot be written', async () => {
    const { link } = await invited('dave', true);
    rig.store.breakWrites('disk full');
    assert.equal(await outcomeOf(open(link)), 'store-unwritable');
    rig.store.breakWrites(undefined);
    assert.equal(await outcomeOf(open(link)), 'done');
  });

  it('belongs to the user it was created for, and not to the new user of the name', async () => {
    const { link } = await invited('dave', true);
    const uid = rig.names.people.get('dave') ?? 0;
    rig.names.people.set('dave', uids.carol + 100);
    assert.equal(await outcomeOf(open(link)), 'sign-in-refused');
    rig.names.people.set('dave', uid);
    assert.equal(done(await open(link)).person.uid, uid);
  });
});
