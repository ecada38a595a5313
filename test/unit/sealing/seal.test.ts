import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { claimedVersion, createSealer, sealSchema } from '../../../daemon/sealing/seal.ts';
import { keyringOf } from '../../support/keys.ts';

const sealer = createSealer(keyringOf('k1'));
const key = Buffer.from('\x10alice');
const secret = Buffer.from('a seed that nobody may read');

describe('a sealed record', () => {
  it('opens to what was sealed, under its version', () => {
    for (const version of [0, 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      const envelope = sealer.seal('record', key, version, secret);
      assert.equal(claimedVersion(envelope), version);
      assert.deepEqual(sealer.open('record', key, envelope), { version, plaintext: secret });
      assert.ok(!envelope.includes(secret.subarray(0, 6)));
    }
    const empty = sealer.seal('marker', key, 7, Buffer.alloc(0));
    assert.deepEqual(sealer.open('marker', key, empty), { version: 7, plaintext: Buffer.alloc(0) });
  });

  it('opens in its own place, for its own purpose, and with its own key alone', () => {
    const envelope = sealer.seal('record', key, 1, secret);
    const damaged = { code: 'record-damaged' };
    assert.throws(() => sealer.open('record', Buffer.from('\x10bob'), envelope), damaged);
    assert.throws(() => sealer.open('marker', key, envelope), damaged);
    assert.throws(() => createSealer(keyringOf('k2')).open('record', key, envelope), { code: 'store-key' });
    const rotated = createSealer(keyringOf('k2', 'k1'));
    assert.deepEqual(rotated.open('record', key, envelope).plaintext, secret);
  });

  it('is refused when any one bit of it is changed, or any byte missing', () => {
    const envelope = sealer.seal('record', key, 5, secret);
    for (let bit = 0; bit < envelope.length * 8; bit += 1) {
      const changed = Buffer.from(envelope);
      const at = bit >> 3;
      changed.writeUInt8(changed.readUInt8(at) ^ (1 << (bit & 7)), at);
      assert.throws(() => sealer.open('record', key, changed), `bit ${bit}`);
    }
    for (let length = 0; length < envelope.length; length += 1) {
      assert.throws(() => sealer.open('record', key, envelope.subarray(0, length)), `length ${length}`);
    }
  });

  it('says so when a newer Sallyport wrote it', () => {
    const envelope = sealer.seal('record', key, 5, secret);
    envelope.writeUInt8(sealSchema + 1, 0);
    assert.throws(() => sealer.open('record', key, envelope), { code: 'store-schema', message: /newer/ });
  });

  it('never uses a nonce twice', () => {
    const nonces = new Set<string>();
    for (let i = 0; i < 5_000; i += 1) {
      nonces.add(sealer.seal('record', key, 1, secret).toString('hex', 12, 24));
    }
    const other = createSealer(keyringOf('k1'));
    for (let i = 0; i < 5_000; i += 1) {
      nonces.add(other.seal('record', key, 1, secret).toString('hex', 12, 24));
    }
    assert.equal(nonces.size, 10_000);
  });
});
