import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { hotp } from '../../support/codes.ts';
import { type ControlRig, startControl } from '../../support/control-rig.ts';
import { asked, callers, done, outcomeOf, realms, withPassword } from '../../support/sign-ins.ts';
import { fob } from '../control/records.ts';
import { facts } from '../policy/support.ts';

/** The right password and code of the owner, while strangers sign in at the portal with wrong passwords. */

let rig: ControlRig;
let next: number;
beforeEach(async () => {
  rig = await startControl({ config: realms });
  await rig.store.put('alice', { factors: [fob] });
  next = fob.counter;
});
afterEach(() => rig.close());

const crowd = 64;
const home = '192.0.2.1';
const seed = Buffer.from(fob.secret, 'base64');
const code = () => hotp(seed, next++);

async function ownerSignsIn(token?: string): Promise<string> {
  const view = await rig.signIns.begin(callers.portal, withPassword('alice', undefined, home), token);
  return done(await rig.signIns.answer(callers.portal, asked(view).id, { kind: 'typed', answer: code() }))
    .token.token;
}

async function ownerLogsIn(): Promise<void> {
  const opening = await rig.verifier.open(
    facts({ user: 'alice', service: 'sshd', rhost: home, source: home }),
    rig.host,
  );
  assert.ok(opening.kind === 'ask', opening.kind);
  assert.equal((await rig.verifier.answer(opening.login, Buffer.from(code()))).kind, 'accepted');
}

const strangers = {
  'of that name, from an address each': (n: number) => withPassword('alice', 'guess', `198.51.100.${n}`),
  'of another name each, from the address of the owner': (n: number) =>
    withPassword(`name${n}`, 'guess', home),
  'of another name each, from an address each': (n: number) =>
    withPassword(`name${n}`, 'guess', `198.51.100.${n}`),
};

for (const [what, body] of Object.entries(strangers))
  describe(`beside ${crowd} strangers ${what}`, () => {
    let answered: number;
    let all: Promise<unknown>;
    const begin = () => {
      answered = 0;
      const tries = Array.from({ length: crowd }, async (_, n) => {
        await outcomeOf(rig.signIns.begin(callers.portal, body(n)));
        answered += 1;
      });
      all = Promise.all(tries);
    };

    it('the owner signs in again from the same network, and strangers still wait', async () => {
      await ownerSignsIn();
      begin();
      await ownerSignsIn();
      assert.ok(answered < crowd, 'not behind all of them');
      await all;
      await ownerSignsIn();
    });

    it('the owner confirms in a session', async () => {
      const token = await ownerSignsIn();
      begin();
      await ownerSignsIn(token);
      assert.ok(answered < crowd, 'not behind all of them');
      await all;
    });

    it('the owner logs in over ssh', async () => {
      begin();
      for (let times = 0; times < 3; times += 1) await ownerLogsIn();
      assert.ok(answered < crowd, 'not behind all of them');
      assert.deepEqual((await rig.store.get('alice'))?.lock ?? { codes: 0, any: 0 }, { codes: 0, any: 0 });
      await all;
    });
  });
