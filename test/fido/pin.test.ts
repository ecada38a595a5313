import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { newCredential } from '../support/authenticator/credential.ts';
import type { Authenticator, AuthenticatorOptions } from '../support/authenticator/index.ts';
import { groupOf, KeyRing, pin, proven, rpId, stopKeys } from '../support/fido-keys.ts';
import { compileSoftHelper, scratch } from '../support/fido-rig.ts';

const directory = scratch('fido-pin');
let program = '';
before(async () => {
  program = await compileSoftHelper('asan');
});
after(async () => {
  await stopKeys();
  directory.remove();
});

const right = '271828';
const newOne = () => newCredential({ rpIdHash: createHash('sha256').update(rpId).digest() });

/** A key with a credential, and the directory that it is in. */
async function holder(options: Omit<AuthenticatorOptions, 'socket'> = {}) {
  const keys = new KeyRing(program, directory.path);
  const credential = newOne();
  const key = await keys.key({ credentials: [credential], ...options });
  return { keys, key, credential, groups: groupOf(credential) };
}

const askedForPin = (key: Authenticator) =>
  key.requests.filter(({ command }) => command.startsWith('getPin')).map(({ command }) => command);

describe('a PIN', { concurrency: 4 }, () => {
  for (const version of ['2.0', '2.1'] as const) {
    for (const userVerification of ['required', 'preferred'] as const) {
      it(`is requested for the only key at once, once, and verifies the user: ${userVerification}, CTAP ${version}`, async () => {
        const { keys, key, credential, groups } = await holder({ pin: right, version });
        const call = keys.assert({ groups, userVerification });
        assert.deepEqual(await call.said('pin'), { kind: 'pin', why: 'first' });
        const typed = pin(right);
        call.pin(typed);
        assert.deepEqual(typed, Buffer.alloc(6));
        await Promise.all([key.blinks(), call.said('touch')]);
        key.touch();
        const outcome = await call.outcome;
        assert.equal(outcome.kind, 'asserted', JSON.stringify(outcome));
        if (outcome.kind !== 'asserted') return;
        const facts = proven(credential, call.request.clientDataHash, outcome);
        assert.deepEqual(facts, { good: true, up: true, uv: true });
        assert.deepEqual(
          call.events.map(({ kind }) => kind),
          ['keys', 'pin', 'touch'],
        );
        await keys.stop();
      });
    }
  }

  it('is not requested if it is discouraged', async () => {
    const { keys, key, credential, groups } = await holder({ pin: right });
    const call = keys.assert({ groups });
    await key.blinks();
    key.touch();
    const outcome = await call.outcome;
    assert.ok(outcome.kind === 'asserted');
    assert.equal(proven(credential, call.request.clientDataHash, outcome).uv, false);
    assert.ok(!call.events.some(({ kind }) => kind === 'pin'));
    await keys.stop();
  });

  it('is not requested for a key without one, if it is only preferred', async () => {
    const { keys, key, groups } = await holder();
    const call = keys.assert({ groups, userVerification: 'preferred' });
    await key.blinks();
    key.touch();
    assert.equal((await call.outcome).kind, 'asserted');
    await keys.stop();
  });

  it('is missed at the touch if it is required', async () => {
    const { keys, key, groups } = await holder();
    const call = keys.assert({ groups, userVerification: 'required' });
    await key.blinks();
    key.touch();
    const outcome = await call.outcome;
    assert.equal(outcome.kind === 'failed' && outcome.reason, 'no-pin');
    await keys.stop();
  });

  it('that is wrong is requested again, with the attempts left, then accepted', async () => {
    const { keys, key, groups } = await holder({ pin: right });
    const call = keys.assert({ groups, userVerification: 'required' });
    await call.said('pin');
    call.pin(pin('314159'));
    assert.deepEqual(await call.said('pin', 2), { kind: 'pin', why: 'wrong', retries: 7 });
    call.pin(pin(right));
    await key.blinks();
    key.touch();
    assert.equal((await call.outcome).kind, 'asserted');
    await keys.stop();
  });

  it('that no key can have costs no attempt', async () => {
    const { keys, key, groups } = await holder({ pin: right });
    const call = keys.assert({ groups, userVerification: 'required' });
    const impossible = ['', '123', 'x'.repeat(64), 'x'.repeat(300), '12\u000034'];
    for (const [index, text] of impossible.entries()) {
      await call.said('pin', index + 1);
      call.pin(pin(text));
    }
    assert.deepEqual(await call.said('pin', impossible.length + 1), {
      kind: 'pin',
      why: 'wrong',
      retries: 8,
    });
    assert.equal(key.pinRetries, 8);
    call.cancel();
    await keys.stop();
  });

  it('blocks the key when it was wrong three times in a row', async () => {
    const { keys, groups } = await holder({ pin: right });
    const call = keys.assert({ groups, userVerification: 'required' });
    for (const nth of [1, 2, 3]) {
      await call.said('pin', nth);
      call.pin(pin('000000'));
    }
    const outcome = await call.outcome;
    assert.equal(outcome.kind === 'failed' && outcome.reason, 'pin-blocked', JSON.stringify(outcome));
    await keys.stop();
  });

  it('has its attempts reported at once when they are few', async () => {
    const { keys, key, groups } = await holder({ pin: right });
    for (let tries = 8; tries > 5; tries--) {
      const call = keys.assert({ groups, userVerification: 'required' });
      assert.deepEqual(await call.said('pin'), { kind: 'pin', why: 'first' });
      call.pin(pin('000000'));
      await call.said('pin', 2).catch(() => undefined);
      call.cancel();
      await key.unplug();
      await key.plug();
    }
    const call = keys.assert({ groups, userVerification: 'required' });
    assert.deepEqual(await call.said('pin'), { kind: 'pin', why: 'first', retries: 5 });
    call.cancel();
    await keys.stop();
  });

  it('creates a credential if the key asks for one, and is requested once', async () => {
    for (const [options, resident] of [
      [{ version: '2.0' }, false],
      [{ makeCredUvNotRqd: false }, false],
      [{}, true],
    ] as const) {
      const keys = new KeyRing(program, directory.path);
      const key = await keys.key({ pin: right, ...options });
      const call = keys.make({ resident });
      await call.said('pin');
      call.pin(pin(right));
      await key.blinks();
      key.touch();
      assert.equal((await call.outcome).kind, 'made');
      assert.equal(call.events.filter(({ kind }) => kind === 'pin').length, 1);
      await keys.stop();
    }
  });

  it('is not needed for a credential if the key says so', async () => {
    const keys = new KeyRing(program, directory.path);
    const key = await keys.key({ pin: right });
    const call = keys.make();
    await key.blinks();
    key.touch();
    assert.equal((await call.outcome).kind, 'made');
    assert.deepEqual(askedForPin(key), []);
    await keys.stop();
  });

  it('of one of two keys is requested after a touch of that key; the other one stops blinking', async () => {
    const { keys, key, credential, groups } = await holder({ pin: right });
    const other = await keys.key({ pin: '161803' });
    const token = await keys.key({ kind: 'u2f' });
    const call = keys.assert({ groups, userVerification: 'required' });
    await Promise.all([key.blinks(), other.blinks(), token.blinks(), call.said('touch')]);
    assert.ok(!call.events.some(({ kind }) => kind === 'pin'));
    key.touch();
    await call.said('pin');
    await Promise.all([other.rests(), token.rests()]);
    assert.equal(other.cancelled, 1);
    call.pin(pin(right));
    await Promise.all([key.blinks(), call.said('touch', 2)]);
    assert.equal(other.blinking, false);
    key.touch();
    const outcome = await call.outcome;
    assert.equal(outcome.kind, 'asserted', JSON.stringify(outcome));
    if (outcome.kind !== 'asserted') return;
    assert.ok(proven(credential, call.request.clientDataHash, outcome).uv);
    assert.deepEqual(
      call.events.map(({ kind }) => kind),
      ['keys', 'touch', 'pin', 'touch'],
    );
    await keys.stop();
  });

  it('is not requested again by a key that accepts it and then sends garbage', async () => {
    const { keys, key, groups } = await holder({ pin: right });
    const call = keys.assert({ groups, userVerification: 'required' });
    await call.said('pin');
    key.misbehaviour = { rubbish: 'command' };
    call.pin(pin(right));
    const outcome = await call.outcome;
    assert.equal(outcome.kind === 'failed' && outcome.reason, 'key-failed', JSON.stringify(outcome));
    assert.equal(call.events.filter(({ kind }) => kind === 'pin').length, 1);
    await keys.stop();
  });

  it('that arrives late is sent to no other key', async () => {
    const { keys, key, groups } = await holder({ pin: right });
    const other = await keys.key({ pin: '161803', plugged: false });
    const call = keys.assert({ groups, userVerification: 'required' });
    await call.said('pin');
    await key.unplug();
    await other.plug();
    await call.said('pin', 2);
    call.pin(pin('161803'));
    await other.blinks();
    other.touch();
    const outcome = await call.outcome;
    assert.equal(outcome.kind === 'failed' && outcome.reason, 'wrong-key', JSON.stringify(outcome));
    assert.deepEqual(
      askedForPin(key).filter((command) => command.startsWith('getPinToken')),
      [],
    );
    await keys.stop();
  });
});

describe('a credential that a key hides without verification', { concurrency: 4 }, () => {
  it('is found after the PIN, if verification is required', async () => {
    const { keys, key, credential, groups } = await holder({ pin: right });
    key.credentials = [];
    const call = keys.assert({
      groups: [{ rpId: 'other.example.org', credentialIds: [newOne().id] }, ...groups],
      userVerification: 'required',
    });
    await call.said('pin');
    key.credentials = [credential];
    call.pin(pin(right));
    await key.blinks();
    key.touch();
    const outcome = await call.outcome;
    assert.equal(outcome.kind, 'asserted', JSON.stringify(outcome));
    if (outcome.kind !== 'asserted') return;
    assert.ok(proven(credential, call.request.clientDataHash, outcome).uv);
    await keys.stop();
  });

  it('is found with the fingerprint', async () => {
    const { keys, key, credential, groups } = await holder({ builtInUv: true });
    key.credentials = [];
    const call = keys.assert({ groups, userVerification: 'required' });
    await key.blinks();
    key.credentials = [credential];
    key.touch('right');
    assert.equal((await call.outcome).kind, 'asserted');
    await keys.stop();
  });

  it('may not exist at all', async () => {
    const { keys, key, groups } = await holder({ pin: right, credentials: [] });
    const call = keys.assert({ groups, userVerification: 'required' });
    await call.said('pin');
    call.pin(pin(right));
    await key.blinks();
    key.touch();
    const outcome = await call.outcome;
    assert.equal(outcome.kind === 'failed' && outcome.reason, 'wrong-key');
    await keys.stop();
  });

  it('and is to be excluded is found after the PIN', async () => {
    const { keys, key, credential } = await holder({ pin: right });
    key.credentials = [];
    const call = keys.make({ exclude: [credential.id], userVerification: 'required' });
    await call.said('pin');
    key.credentials = [credential];
    call.pin(pin(right));
    await key.blinks();
    key.touch();
    const outcome = await call.outcome;
    assert.equal(outcome.kind === 'failed' && outcome.reason, 'excluded');
    await keys.stop();
  });
});

describe('a fingerprint', { concurrency: 4 }, () => {
  it('replaces the PIN', async () => {
    const { keys, key, credential, groups } = await holder({ builtInUv: true, pin: right });
    const call = keys.assert({ groups, userVerification: 'required' });
    await key.blinks();
    key.touch('right');
    const outcome = await call.outcome;
    assert.equal(outcome.kind, 'asserted', JSON.stringify(outcome));
    if (outcome.kind !== 'asserted') return;
    assert.ok(proven(credential, call.request.clientDataHash, outcome).uv);
    assert.ok(!call.events.some(({ kind }) => kind === 'pin'));
    await keys.stop();
  });

  it('that is wrong too often leaves the PIN', async () => {
    const { keys, key, credential, groups } = await holder({ builtInUv: true, pin: right });
    const call = keys.assert({ groups, userVerification: 'required' });
    for (let wrong = 0; wrong < 3; wrong++) {
      await key.blinks();
      key.touch('wrong');
      await key.rests();
    }
    await call.said('pin');
    call.pin(pin(right));
    await key.blinks();
    key.touch();
    const outcome = await call.outcome;
    assert.equal(outcome.kind, 'asserted', JSON.stringify(outcome));
    if (outcome.kind !== 'asserted') return;
    assert.ok(proven(credential, call.request.clientDataHash, outcome).uv);
    await keys.stop();
  });

  it('creates a credential', async () => {
    const keys = new KeyRing(program, directory.path);
    const key = await keys.key({ builtInUv: true });
    const call = keys.make({ userVerification: 'required' });
    await key.blinks();
    key.touch('right');
    assert.equal((await call.outcome).kind, 'made');
    await keys.stop();
  });
});
