import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { limits } from '../../../portal/limits.ts';
import { ask, codeIn, loopbackProxy, type PortalRig, signIn, startPortal } from '../../support/portal-rig.ts';

let rig: PortalRig;
beforeEach(async () => {
  rig = await startPortal({ proxies: [loopbackProxy] });
});
afterEach(() => rig.close());

const crowd = 64;
const from = (address: string) => ({ headers: { 'x-forwarded-for': address } });
const password = (user: string, word: string) => ({ by: 'password', user, password: word });
const guess = (address: string, user: string) =>
  ask(rig, 'POST /api/sign-in', { ...from(address), body: password(user, 'wrong') });
const enter = (address: string, word = 'right') =>
  ask(rig, 'POST /api/sign-in', { ...from(address), body: password('alice', word) });
const code = (address: string, id: unknown, answer = '123456') =>
  ask(rig, `POST /api/sign-in/${String(id)}`, { ...from(address), body: { kind: 'typed', answer } });

/** From the address of the owner, under other names, until the address has no attempts left. */
async function useUp(address: string): Promise<void> {
  await Promise.all(Array.from({ length: crowd }, (_, n) => guess(address, `name${n}`)));
  while ((await guess(address, 'bob')).status !== 429);
}

describe('the owner beside 64 strangers', () => {
  for (const [owner, strangers] of [
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::ffff'],
    ['192.0.2.1', '::ffff:192.0.2.1'],
  ] as const) {
    it(`signs in at ${owner}, having signed in from there, beside strangers at ${strangers}`, async () => {
      await signIn(rig, from(owner));
      await useUp(strangers);
      const begun = await enter(owner);
      assert.equal(begun.status, 200);
      assert.equal((await code(owner, begun.body.id)).status, 200);
    });

    it(`confirms a change at ${owner}, beside strangers at ${strangers}`, async () => {
      const cookie = await signIn(rig, from('203.0.113.9'));
      await useUp(strangers);
      const given = { ...from(owner), cookie, body: { password: 'right' } };
      const begun = await ask(rig, 'POST /api/confirm', given);
      assert.equal(begun.status, 200);
      assert.equal((await code(owner, begun.body.id)).status, 200);
    });

    it(`gives the code at ${owner} after the password, beside strangers at ${strangers}`, async () => {
      const begun = await enter(owner);
      assert.equal(begun.status, 200);
      await useUp(strangers);
      assert.equal((await code(owner, begun.body.id)).status, 200);
    });
  }

  it('signs in at once while strangers fill the queue of sign-ins', async () => {
    await signIn(rig, from('192.0.2.1'));
    rig.daemon.asked.length = 0;
    assert.equal((await enter('192.0.2.1')).status, 200);
    // A separate queue, by name and network (daemon.ts).
    assert.deepEqual(rig.daemon.asked[0], ['familiar', 'familiar 192.0.2.1 alice']);
    assert.equal((await enter('192.0.2.2')).status, 200);
    assert.equal(rig.daemon.asked.filter(([name]) => name === 'familiar').length, 1);
  });
});

describe('sharing the attempts of the owner', () => {
  it('no stranger does, whatever name was signed in with from that address', async () => {
    await signIn(rig, from('192.0.2.1'));
    await useUp('192.0.2.1');
    assert.equal(codeIn(await guess('192.0.2.1', 'bob')), '429 too-many-attempts');
  });

  it('wrong ones of the owner count, and run out', async () => {
    await signIn(rig, from('192.0.2.1'));
    for (let n = 0; n < limits.wrongAnswerRate.burst; n++)
      assert.equal(codeIn(await enter('192.0.2.1', 'wrong')), '403 not-permitted');
    assert.equal(codeIn(await enter('192.0.2.1')), '429 too-many-attempts');
  });

  it('wrong codes of one name from one network count, over all of its sign-ins', async () => {
    for (let n = 0; n < limits.wrongAnswerRate.burst; n++) {
      const begun = await enter('192.0.2.1');
      assert.equal((await code('192.0.2.1', begun.body.id, '0')).status, 200);
    }
    const begun = await enter('192.0.2.1');
    assert.equal(codeIn(await code('192.0.2.1', begun.body.id)), '429 too-many-attempts');
  });

  it('a failed sign-in makes no name familiar', async () => {
    await guess('192.0.2.1', 'alice');
    await enter('192.0.2.1');
    await useUp('192.0.2.1');
    assert.equal(codeIn(await enter('192.0.2.1')), '429 too-many-attempts');
  });
});
