import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, it } from 'node:test';
import { decodeCredentialPublicKey } from '@simplewebauthn/server/helpers';
import type { KeyAlgorithm } from '../../../../daemon/factors/contract.ts';
import { coseKey } from '../../../../daemon/factors/encodings/cose.ts';
import { readU2fText } from '../../../../daemon/factors/encodings/u2f-text.ts';
import { fc } from '../../../support/property.ts';

const jwk = (key: KeyObject) => key.export({ format: 'jwk' });
const part = (text: string | undefined) => Buffer.from(text ?? '', 'base64url');

/** A raw key as pam_u2f writes it, and its COSE form: the numbers of RFC 9053 and RFC 8230. */
const keys: Record<KeyAlgorithm, () => { raw: Buffer; says: [number, number | Buffer][] }> = {
  es256: () => {
    const { x, y } = jwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey);
    const raw = Buffer.concat([part(x), part(y)]);
    return {
      raw,
      says: [
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, part(x)],
        [-3, part(y)],
      ],
    };
  },
  eddsa: () => {
    const raw = part(jwk(generateKeyPairSync('ed25519').publicKey).x);
    return {
      raw,
      says: [
        [1, 1],
        [3, -8],
        [-1, 6],
        [-2, raw],
      ],
    };
  },
  rs256: () => {
    const { n, e } = jwk(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey);
    return {
      raw: Buffer.concat([part(n), part(e)]),
      says: [
        [1, 3],
        [3, -257],
        [-1, part(n)],
        [-2, part(e)],
      ],
    };
  },
};

describe('a raw public key in COSE', () => {
  for (const algorithm of ['es256', 'eddsa', 'rs256'] as const)
    it(`${algorithm}: describes the key`, () => {
      const { raw, says } = keys[algorithm]();
      const cose = coseKey(algorithm, raw);
      assert.ok(cose !== undefined);
      const decoded = decodeCredentialPublicKey(new Uint8Array(cose)) as unknown as Map<number, unknown>;
      assert.deepEqual(
        [...decoded].map(([key, value]) => [
          key,
          typeof value === 'number' ? value : Buffer.from(value as Uint8Array),
        ]),
        says,
      );
      for (const wrong of [raw.subarray(1), Buffer.concat([raw, Buffer.alloc(1)]), Buffer.alloc(0)])
        assert.equal(coseKey(algorithm, wrong), undefined);
    });

  it('accepts a point with its leading 0x04, and no other byte there', () => {
    const { raw } = keys.es256();
    assert.deepEqual(coseKey('es256', Buffer.concat([Buffer.from([4]), raw])), coseKey('es256', raw));
    assert.equal(coseKey('es256', Buffer.concat([Buffer.from([3]), raw])), undefined);
  });
});

describe('a credential in the text form of other programs', () => {
  const { raw } = keys.es256();
  const handle = Buffer.from('a key handle, sixty-four bytes long as most of them are, and so on!');
  const point = Buffer.concat([Buffer.from([4]), raw]);
  const reads = (text: string) => {
    const read = readU2fText(text);
    return (
      read && [read.credentialId.toString(), read.publicKey.toString('hex'), read.algorithm, read.verified]
    );
  };

  it('pam_u2f 1.1 and newer', () => {
    const text = (attributes: string, type = 'es256') =>
      `${handle.toString('base64')},${raw.toString('base64')},${type},${attributes}`;
    const expected = (verified: boolean, algorithm = 'es256') => [
      handle.toString(),
      raw.toString('hex'),
      algorithm,
      verified,
    ];
    assert.deepEqual(reads(text('+presence')), expected(false));
    assert.deepEqual(reads(text('')), expected(false));
    assert.deepEqual(reads(text('+presence+verification')), expected(true));
    assert.deepEqual(reads(text('+presence+pin')), expected(true));
    assert.deepEqual(reads(text('+presence', 'EdDSA')), expected(false, 'eddsa'));
    assert.deepEqual(reads(`  ${text('+presence')}\n`), expected(false));
  });

  it('pam_u2f before that, and Proxmox VE', () => {
    const expected = [handle.toString(), point.toString('hex'), 'es256', false];
    assert.deepEqual(reads(`${handle.toString('base64url')},${point.toString('hex')}`), expected);
    assert.deepEqual(reads(`${handle.toString('base64url')},${point.toString('base64')}`), expected);
  });

  for (const text of [
    '',
    ',',
    'aaaa',
    'aaaa,bbbb',
    '*,AAAA,es256,+presence',
    'aaaa,bbbb,es384,+presence',
    `aaaa,${raw.toString('base64')},es256,+presense`,
    `aaaa,${raw.toString('base64')},es256,+presence,more`,
    `aaaa,${raw.toString('hex')}`,
    `aa aa,${raw.toString('base64')},es256,`,
    `user:aaaa,${raw.toString('base64')},es256,+presence`,
  ])
    it(`is rejected: ${JSON.stringify(text.slice(0, 40))}`, () => assert.equal(reads(text), undefined));

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        readU2fText(text);
      }),
    );
  });
});
