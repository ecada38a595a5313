import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { decodeBase32 } from '../../../daemon/factors/encodings/base32.ts';
import { limits } from '../../../daemon/limits.ts';
import type { OpenLogin, Verdict } from '../../../daemon/verifier/verifier.ts';
import { totp } from '../../support/codes.ts';
import {
  answered,
  eventsOf,
  makeRig,
  put,
  type Rig,
  recordOf,
  totpFactor,
} from '../../support/verifier-rig.ts';
import { facts, realm } from '../policy/support.ts';

/** A first factor that is added during the login itself. */
let rig: Rig;
beforeEach(() => {
  rig = makeRig(realm({ enrol: 'at-login' }));
});

async function begin(): Promise<{ login: OpenLogin; code: string; text: string }> {
  const opening = await rig.verifier.open(facts());
  assert.ok(opening.kind === 'ask' && opening.secret !== undefined);
  const [, secret = ''] = /Type in: ([A-Z2-7 ]+)$/m.exec(opening.secret) ?? [];
  return {
    login: opening.login,
    text: opening.secret,
    code: totp(decodeBase32(secret), { at: rig.clock.at }),
  };
}

async function next(login: OpenLogin, answer: string): Promise<Verdict & { kind: 'next' }> {
  const verdict = await answered(rig, login, answer);
  assert.ok(verdict.kind === 'next', JSON.stringify(verdict));
  return verdict;
}

const keysIn = (text: string) =>
  text.split('\n').filter((line) => /^[a-z2-9]{5}(-[a-z2-9]{5}){3}$/.test(line));
const nothingStored = async () => assert.equal((await rig.store.account('alice')).value, undefined);

describe('a first factor at login', () => {
  it('is shown as a QR code that fits a frame, without control characters', async () => {
    const { text } = await begin();
    assert.match(text, /[█▀▄]/);
    assert.ok(Buffer.byteLength(text) <= limits.textLength);
    assert.doesNotMatch(text, /[^\P{Cc}\n]/u);
  });

  it('a code, then "yes": both factors, the login and their events are one commit', async () => {
    const { login, code } = await begin();
    const stored = await next(login, code);
    const keys = keysIn(stored.secret);
    assert.equal(keys.length, 10);
    assert.match(stored.prompt, /yes/);
    await nothingStored();
    const commits = rig.store.commits.length;
    const verdict = await answered(rig, stored.login, 'Yes');
    assert.deepEqual([verdict.kind, verdict.kind === 'accepted' && verdict.result], ['accepted', 'success']);
    assert.equal(rig.store.commits.length, commits + 1);
    const { factors } = await recordOf(rig);
    assert.deepEqual(
      factors.map(({ kind }) => kind),
      ['totp', 'recovery'],
    );
    const events = await eventsOf(rig);
    assert.deepEqual(
      events.map(({ kind, outcome, reason }) => [kind, outcome, reason]),
      [
        ['factor-added', 'done', 'verified'],
        ['factor-added', 'done', 'unverified'],
        ['login', 'success', 'enrolled'],
      ],
    );
    // The code of the enrolment is used, and the recovery keys are valid.
    const again = await rig.verifier.open(facts());
    assert.ok(again.kind === 'ask');
    assert.equal((await answered(rig, again.login, code)).kind, 'refused');
    const other = await rig.verifier.open(facts());
    assert.ok(other.kind === 'ask');
    assert.equal((await answered(rig, other.login, keys[3] ?? '')).kind, 'accepted');
  });

  it('interrupted at any point leaves nothing, and no login', async () => {
    const { login, code } = await begin();
    await rig.verifier.abandon(login, 'cancelled');
    await nothingStored();
    const stored = await next(login, code);
    for (const answer of ['', 'no', 'y', code, 'yes yes']) {
      const verdict = await answered(rig, stored.login, answer);
      assert.equal(verdict.kind, 'refused', answer);
    }
    await nothingStored();
    assert.deepEqual(
      (await eventsOf(rig)).map(({ outcome, reason }) => [outcome, reason]),
      [['abandoned', 'cancelled'], ...Array.from({ length: 5 }, () => ['refused', 'unconfirmed'])],
    );
  });

  it('a wrong code is asked for again, and counts as no failure: there is nothing to guess yet', async () => {
    const { login } = await begin();
    for (const answer of ['000000', 'hunter2', '']) {
      const verdict = await answered(rig, login, answer);
      assert.ok(verdict.kind === 'refused' && verdict.again);
    }
    await nothingStored();
    // The third ends the call, and an administrator must be able to see why.
    const events = (await eventsOf(rig)).map(({ kind, outcome, reason }) => [kind, outcome, reason]);
    assert.deepEqual(
      events,
      Array.from({ length: 3 }, () => ['login', 'refused', 'wrong']),
    );
  });

  it('a factor that was added meanwhile ends it', async () => {
    const { login, code } = await begin();
    const stored = await next(login, code);
    await put(rig, { factors: [totpFactor()] });
    const verdict = await answered(rig, stored.login, 'yes');
    assert.ok(verdict.kind === 'refused' && !verdict.again);
    assert.equal((await eventsOf(rig)).at(-1)?.reason, 'factors-changed');
    assert.deepEqual(
      (await recordOf(rig)).factors.map(({ id }) => id),
      ['t1'],
    );
  });

  it('two logins at once: one adds its factors, the other is told that they were changed', async () => {
    const [one, two] = [await begin(), await begin()];
    const stored = [await next(one.login, one.code), await next(two.login, two.code)];
    const verdicts = await Promise.all(stored.map(({ login }) => answered(rig, login, 'yes')));
    assert.deepEqual(verdicts.map(({ kind }) => kind).sort(), ['accepted', 'refused']);
    assert.equal((await recordOf(rig)).factors.length, 2);
  });

  it('each login has a separate secret', async () => {
    assert.notEqual((await begin()).text, (await begin()).text);
  });

  it('a store that cannot be written allows no login', async () => {
    const { login, code } = await begin();
    const stored = await next(login, code);
    rig.store.breakWrites('disk full');
    await assert.rejects(answered(rig, stored.login, 'yes'));
  });
});
