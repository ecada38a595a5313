import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { summaryOf } from '../../../daemon/factors/kinds.ts';
import type { OpenLogin } from '../../../daemon/verifier/contract.ts';
import {
  answer,
  answered,
  assertAccepted,
  assertRefused,
  codeNow,
  eventsOf,
  factorOf,
  makeRig,
  opened,
  put,
  type Rig,
  recordOf,
  totpFactor,
  unverified,
} from '../../support/verifier-rig.ts';

const step = 30_000;

describe('codes of a phone that is three minutes slow', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = makeRig();
    await put(rig, { factors: [totpFactor()] });
  });
  /** The code that the phone shows. */
  const shown = (offset = -6) => codeNow(rig, offset);
  const next = () => rig.clock.pass(step);

  it('are accepted as two consecutive ones within one call, and leave nothing to reuse', async () => {
    const login = await opened(rig);
    const first = assertRefused(await answered(rig, login, shown()));
    assert.match(first.text ?? '', /^That is a right code of 3 minutes ago: .*next code/);
    assert.equal(first.again, true);
    next();
    assertAccepted(await answered(rig, first.login, shown()));
    const { lock } = await recordOf(rig);
    assert.deepEqual([lock.codes, lock.any], [0, 0]);
    // The same pair in a new login.
    const again = assertRefused(await answered(rig, await opened(rig), shown(-7)));
    assertRefused(await answered(rig, again.login, shown(-6)));
    next();
    assertAccepted(await answer(rig, {}, shown()));
  });

  it('are reported to administrators: the event and the factor contain the offset', async () => {
    assertRefused(await answer(rig, {}, shown()));
    const event = (await eventsOf(rig)).at(-1);
    assert.deepEqual([event?.reason, event?.offset], ['wrong', -180]);
    assert.match(summaryOf(await factorOf(rig, totpFactor().id)).detail, /a right code of 3 minutes ago$/);
    assert.equal((await recordOf(rig)).lock.codes, 1);
    assertAccepted(await answer(rig, {}, codeNow(rig)));
    assert.doesNotMatch(summaryOf(await factorOf(rig, totpFactor().id)).detail, /ago/);
  });

  it('are wrong codes otherwise, and not accepted', async () => {
    assert.equal(assertRefused(await answer(rig, unverified, shown())).text, undefined);
    assert.equal((await eventsOf(rig)).at(-1)?.offset, undefined);
    // A future code is never reported to a client that could wait for it.
    const ahead = assertRefused(await answer(rig, {}, shown(6)));
    assert.equal(ahead.text, 'Incorrect code.');
    assert.equal((await eventsOf(rig)).at(-1)?.offset, 180);
  });

  it('are not in sequence across two calls', async () => {
    assertRefused(await answer(rig, {}, shown()));
    next();
    assertRefused(await answer(rig, {}, shown()));
  });

  it('are accepted once, of two logins that send the pair concurrently', async () => {
    const logins = await Promise.all([opened(rig), opened(rig)]);
    const begun = await Promise.all(logins.map((login) => answered(rig, login, shown())));
    next();
    const ended = await Promise.all(
      begun.map((verdict) => answered(rig, assertRefused(verdict).login as OpenLogin, shown())),
    );
    assert.equal(ended.filter(({ kind }) => kind === 'accepted').length, 1);
  });
});
