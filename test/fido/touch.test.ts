import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { newCredential } from '../support/authenticator/credential.ts';
import type { Authenticator, AuthenticatorOptions, Misbehaviour } from '../support/authenticator/index.ts';
import { groupOf, KeyRing, proven, rpId, stopKeys } from '../support/fido-keys.ts';
import {
  assertFrame,
  compileSoftHelper,
  killHelpers,
  parts,
  RawHelper,
  scratch,
} from '../support/fido-rig.ts';
import { until } from '../support/until.ts';

const directory = scratch('fido-touch');
let program = '';
before(async () => {
  program = await compileSoftHelper('asan');
});
after(async () => {
  await stopKeys();
  killHelpers();
  directory.remove();
});

const newOne = () => newCredential({ rpIdHash: createHash('sha256').update(rpId).digest() });

async function holder(options: Omit<AuthenticatorOptions, 'socket'> & { readonly plugged?: boolean } = {}) {
  const keys = new KeyRing(program, directory.path);
  const credential = newOne();
  const key = await keys.key({ credentials: [credential], ...options });
  return { keys, key, credential, groups: groupOf(credential) };
}

const cancels = (key: Authenticator) => key.requests.filter(({ command }) => command === 'CANCEL').length;

describe('several keys', { concurrency: 4 }, () => {
  it('all blink; the first touch wins, and the others are cancelled', async () => {
    const { keys, key, credential } = await holder();
    const second = await keys.key({ credentials: [newOne()] });
    const third = await keys.key();
    const [other] = second.credentials;
    assert.ok(other);
    const call = keys.assert({ groups: groupOf(credential, other) });
    await Promise.all([key.blinks(), second.blinks(), third.blinks(), call.said('touch')]);
    second.touch();
    const outcome = await call.outcome;
    assert.equal(outcome.kind, 'asserted', JSON.stringify(outcome));
    if (outcome.kind !== 'asserted') return;
    assert.ok(proven(other, call.request.clientDataHash, outcome).good);
    await Promise.all([key.rests(), third.rests()]);
    assert.deepEqual([key.cancelled, third.cancelled], [1, 1]);
    assert.ok(cancels(key) > 0 && cancels(third) > 0);
    assert.deepEqual(call.events, [{ kind: 'keys', count: 3 }, { kind: 'touch' }]);
    await keys.stop();
  });

  it('one of which is a U2F device, that stops blinking as well', async () => {
    const { keys, key, groups } = await holder();
    const token = await keys.key({ kind: 'u2f' });
    const call = keys.assert({ groups });
    await Promise.all([key.blinks(), token.blinks()]);
    key.touch();
    assert.equal((await call.outcome).kind, 'asserted');
    await token.rests();
    const asked = token.requests.length;
    await keys.helper.list();
    assert.ok(token.requests.length <= asked + 2, 'it is asked on');
    await keys.stop();
  });

  it('a touch of the wrong one ends the call, whatever the others contain', async () => {
    const { keys, key, groups } = await holder();
    const wrong = await keys.key();
    const call = keys.assert({ groups });
    await Promise.all([key.blinks(), wrong.blinks()]);
    wrong.touch();
    const outcome = await call.outcome;
    assert.equal(outcome.kind === 'failed' && outcome.reason, 'wrong-key');
    await key.rests();
    await keys.stop();
  });

  it('beyond the limit are ignored', async () => {
    const { keys, key, groups } = await holder();
    for (let others = 0; others < 9; others++) await keys.key();
    const call = keys.assert({ groups });
    await call.said('touch');
    assert.deepEqual(call.events[0], { kind: 'keys', count: 8 });
    await key.blinks();
    key.touch();
    assert.equal((await call.outcome).kind, 'asserted');
    await keys.stop();
  });
});

describe('keys that are plugged in and out', { concurrency: 4 }, () => {
  it('one that is plugged in later blinks too', async () => {
    const { keys, key, groups } = await holder({ plugged: false });
    const call = keys.assert({ groups });
    assert.deepEqual(await call.said('keys'), { kind: 'keys', count: 0 });
    await key.plug();
    assert.deepEqual(await call.said('keys', 2), { kind: 'keys', count: 1 });
    await key.blinks();
    key.touch();
    assert.equal((await call.outcome).kind, 'asserted');
    await keys.stop();
  });

  it('one removed half-way leaves the others', async () => {
    const { keys, key, groups } = await holder();
    const other = await keys.key();
    const call = keys.assert({ groups });
    await Promise.all([key.blinks(), other.blinks()]);
    await other.unplug();
    assert.deepEqual(await call.said('keys', 2), { kind: 'keys', count: 1 });
    key.touch();
    assert.equal((await call.outcome).kind, 'asserted');
    await keys.stop();
  });

  for (const kind of ['fido2', 'u2f'] as const) {
    it(`the only one may be plugged in again: ${kind}`, async () => {
      const { keys, key, groups } = await holder({ kind });
      const call = keys.assert({ groups });
      await Promise.all([key.blinks(), call.said('touch')]);
      await key.unplug();
      assert.deepEqual(await call.said('keys', 2), { kind: 'keys', count: 0 });
      await key.plug();
      await call.said('touch', 2);
      await key.blinks();
      key.touch();
      assert.equal((await call.outcome).kind, 'asserted');
      await keys.stop();
    });
  }

  it('the wrong one may be plugged in again too, and blinks again', async () => {
    const { keys, key } = await holder();
    const call = keys.assert({ groups: groupOf(newOne()) });
    await key.blinks();
    await key.unplug();
    await call.said('keys', 2);
    await key.plug();
    await key.blinks();
    key.touch();
    const outcome = await call.outcome;
    assert.equal(outcome.kind === 'failed' && outcome.reason, 'wrong-key');
    await keys.stop();
  });

  it('a key whose own time ends blinks again, and nothing more is reported', async () => {
    const { keys, key, groups } = await holder({ userActionTimeout: 100 });
    const wrong = await keys.key({ userActionTimeout: 100 });
    const call = keys.assert({ groups });
    await until(() => key.blinkCount > 2 && wrong.blinkCount > 2, 60_000);
    await key.blinks();
    key.touch();
    assert.equal((await call.outcome).kind, 'asserted');
    assert.deepEqual(call.events, [{ kind: 'keys', count: 2 }, { kind: 'touch' }]);
    await keys.stop();
  });
});

describe('the end of a call', { concurrency: 4 }, () => {
  it('is the deadline, without a key', async () => {
    const keys = new KeyRing(program, directory.path);
    const outcome = await keys.assert({ groups: groupOf(newOne()), deadline: 300 }).outcome;
    assert.equal(outcome.kind === 'failed' && outcome.reason, 'no-key');
  });

  for (const kind of ['fido2', 'u2f'] as const) {
    it(`is the deadline, without a touch; the key stops blinking: ${kind}`, async () => {
      const { keys, key, groups } = await holder({ kind });
      const call = keys.assert({ groups, deadline: 600 });
      await key.blinks();
      const outcome = await call.outcome;
      assert.equal(outcome.kind === 'failed' && outcome.reason, 'no-touch');
      await key.rests();
      await keys.stop();
    });

    for (const signal of [undefined, 'SIGTERM'] as const) {
      it(`is a cancel; the key stops blinking, the helper ends: ${kind}, ${signal ?? 'the end of the stream'}`, async () => {
        const { keys, key, credential } = await holder({ kind });
        const request = assertFrame({ rpId: parts.rpId(rpId), id: parts.id(48) });
        key.credentials = [{ ...credential, id: Buffer.alloc(48, 9) }];
        const helper = new RawHelper(program, { SALLYPORT_FIDO_DEVICES: key.socket }).send(request);
        await key.blinks();
        if (signal === undefined) helper.end();
        else helper.child.kill(signal);
        assert.deepEqual(await helper.ended, { code: 0, signal: null });
        const last = helper.frames.at(-1);
        assert.equal(last?.type === 'failed' && last.reason, 'cancelled');
        await key.rests();
        assert.equal(key.cancelled, kind === 'u2f' ? 0 : 1);
        await keys.stop();
      });
    }
  }
});

const rubbish = ['reports', 'length', 'sequence', 'command', 'cbor', 'types', 'empty'] as const;
const faults: readonly (readonly [string, Misbehaviour])[] = [
  ...rubbish.map((what) => [`rubbish: ${what}`, { rubbish: what }] as const),
  ...rubbish.map((what) => [`rubbish from the start: ${what}`, { rubbish: what, atOpen: true }] as const),
  ['silence', { silentHang: true }],
  ['silence from the start', { silentHang: true, atOpen: true }],
  ['a flood of keepalives', { floodKeepalives: true }],
  ['half reports', { truncatedReports: true }],
];

describe('a key that misbehaves', { concurrency: 8 }, () => {
  for (const [what, misbehaviour] of faults) {
    it(`delays neither the other key nor the end: ${what}`, async () => {
      const { keys, key, groups } = await holder();
      const bad = await keys.key({ credentials: key.credentials });
      bad.misbehaviour = misbehaviour;
      const call = keys.assert({ groups });
      await key.blinks();
      key.touch();
      assert.equal((await call.outcome).kind, 'asserted');
      await keys.stop();
    });

    it(`ends the call in time if it is the only one: ${what}`, async () => {
      const { keys, key, groups } = await holder();
      key.misbehaviour = misbehaviour;
      const call = keys.assert({ groups, deadline: 700 });
      key.touch();
      const outcome = await call.outcome;
      assert.ok(
        outcome.kind !== 'failed' || ['no-touch', 'key-failed'].includes(outcome.reason),
        outcome.kind,
      );
      if (misbehaviour.floodKeepalives !== true) assert.equal(outcome.kind, 'failed');
      await keys.stop();
    });
  }

  it('is given up when it is the only one, before the deadline', async () => {
    const { keys, key, groups } = await holder();
    key.misbehaviour = { rubbish: 'command', atOpen: true };
    const call = keys.assert({ groups, deadline: 60_000 });
    const outcome = await call.outcome;
    assert.equal(outcome.kind === 'failed' && outcome.reason, 'key-failed');
    await keys.stop();
  });

  it('keeps flooding after the deadline, and the helper ends anyway', async () => {
    const { keys, key, credential } = await holder();
    key.credentials = [{ ...credential, id: Buffer.alloc(48, 9) }];
    key.misbehaviour = { floodKeepalives: true };
    const request = assertFrame({
      deadline: parts.deadline(500),
      rpId: parts.rpId(rpId),
      id: parts.id(48),
    });
    const helper = new RawHelper(program, { SALLYPORT_FIDO_DEVICES: key.socket }).send(request);
    assert.deepEqual(await helper.ended, { code: 0, signal: null });
    const last = helper.frames.at(-1);
    assert.equal(last?.type === 'failed' && last.reason, 'no-touch');
    assert.equal(helper.errors, '');
    await keys.stop();
  });
});
