import assert from 'node:assert/strict';
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import { claimedVersion, createSealer, sealSchema } from '../../../daemon/sealing/seal.ts';
import { chainHash } from '../../../daemon/store/sealed/chain.ts';
import { keyringOf } from '../../support/keys.ts';

const sealer = createSealer(keyringOf('k1'));
const key = Buffer.from('\x10alice');
const secret = Buffer.from('a seed that nobody may read');

describe('a sealed record', () => {
  it('decrypts to what was encrypted, under its version', () => {
    for (const version of [0, 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      const envelope = sealer.seal('record', key, version, secret);
      assert.equal(claimedVersion(envelope), version);
      assert.deepEqual(sealer.open('record', key, envelope), { version, plaintext: secret });
      assert.ok(!envelope.includes(secret.subarray(0, 6)));
    }
    const empty = sealer.seal('marker', key, 7, Buffer.alloc(0));
    assert.deepEqual(sealer.open('marker', key, empty), { version: 7, plaintext: Buffer.alloc(0) });
  });

  it('decrypts only in its own position, for its own purpose, with its own key', () => {
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

/** What Node's own functions made of it before the addon did. */
const golden = {
  record:
    '02026b310000000100000007707e756298f2244900000000930a7c1979240c11127b98d123b75f622048753e61d432aa1779ce293717e3385920b4',
  marker: '02026b310000000000000007707e756298f22449000000016f2f9fb0bc701de7b7eb82bf5e6935c4',
  chain: 'a7e6a3ff3efe5f232d5521692b9eff1855b5739cf3d63c26cb8e113e0aca311c',
};

describe('the bytes at rest', () => {
  const keyring = keyringOf('k1');
  const lengths = Buffer.from([6, 0, 0, 0, key.length]);
  const associated = (envelope: Buffer) =>
    Buffer.concat([lengths, Buffer.from('record'), key, envelope.subarray(0, 12)]);

  it('are those of earlier versions', () => {
    const plaintext = Buffer.from('{"account":"alice"}');
    const record = Buffer.from(golden.record, 'hex');
    assert.deepEqual(sealer.open('record', key, record), { version: 2 ** 32 + 7, plaintext });
    const marker = sealer.open('marker', Buffer.from('\x40alice'), Buffer.from(golden.marker, 'hex'));
    assert.deepEqual(marker, { version: 7, plaintext: Buffer.alloc(0) });
  });

  it('are those that Node makes and reads', () => {
    for (const length of [1, 15, 16, 17, 1_000, 100_000]) {
      const plaintext = Buffer.alloc(length, 'secret');
      const ours = sealer.seal('record', key, length, plaintext);
      const nonce = ours.subarray(12, 24);
      const decipher = createDecipheriv('aes-256-gcm', keyring.key('record', 'k1'), nonce);
      decipher.setAAD(associated(ours)).setAuthTag(ours.subarray(-16));
      assert.deepEqual(decipher.update(ours.subarray(24, -16)), plaintext);
      decipher.final();
      const cipher = createCipheriv('aes-256-gcm', keyring.key('record', 'k1'), nonce).setAAD(
        associated(ours),
      );
      const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
      assert.deepEqual(Buffer.concat([ours.subarray(0, 24), body, cipher.getAuthTag()]), ours);
    }
  });

  it('hash as Node hashes them', () => {
    const event = Buffer.from('\x01an event');
    const secretKey = Buffer.alloc(32, 7);
    const placed = Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 0, 1, 2]), event]);
    const hash = createHmac('sha256', secretKey).update(placed).digest('hex');
    assert.equal(chainHash(secretKey.toString('base64'), 258, event), hash);
    assert.equal(hash, golden.chain);
  });
});
