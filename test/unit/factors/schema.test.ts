import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as v from 'valibot';
import { factorSchema, kinds, portableSchema } from '../../../daemon/factors/kinds.ts';
import { formerPortable } from './former/portable.ts';
import { assertSame, formerKinds } from './former/same.ts';
import { formerFactor } from './former/store.ts';

const base = { id: 'f1', name: 'pixel-7', created: 1_600_000_000_000, enabled: true } as const;
const otp = { secret: 'AAAAAAAAAAAAAAAAAAAAAA==', digits: 6, algorithm: 'sha1' } as const;
const set = { keyId: 'k1', salt: 'AA==', hashes: ['AA==', null] } as const;
const credential = { credentialId: 'AA', publicKey: 'AA==', algorithm: 'es256', counter: 0, spent: [] };

/** For each kind: the smallest and the largest record. */
const samples: Readonly<Record<keyof typeof kinds, readonly object[]>> = {
  totp: [
    { ...base, ...otp, kind: 'totp', period: 30, lastStep: -1, drift: 0 },
    {
      ...base,
      ...otp,
      kind: 'totp',
      lastUsed: 1,
      period: 300,
      lastStep: 7,
      heldStep: 7,
      lastOffset: { seconds: -60, at: 1 },
      drift: -10,
    },
  ],
  hotp: [
    { ...base, ...otp, kind: 'hotp', counter: 0 },
    { ...base, ...otp, kind: 'hotp', lastUsed: 1, counter: 5, inDoubt: true },
  ],
  yubikey: [
    { ...base, kind: 'yubikey', validation: 'cloud', publicId: 'cccc', spent: ['AA=='] },
    {
      ...base,
      kind: 'yubikey',
      validation: 'local',
      publicId: 'cb',
      privateId: 'AAAAAAAA',
      secret: 'AA==',
      lastPress: -1,
      spent: [],
      inDoubt: true,
    },
  ],
  webauthn: [
    {
      ...base,
      ...credential,
      kind: 'webauthn',
      rpId: 'login.example.org',
      aaguid: '00000000-0000-0000-0000-000000000000',
      attested: false,
      resident: true,
      transports: ['usb'],
    },
  ],
  u2f: [{ ...base, ...credential, kind: 'u2f', appId: 'pam://host', verified: true }],
  'ssh-sk': [{ ...base, kind: 'ssh-sk', keyType: 'sk-ssh-ed25519@openssh.com', publicKey: 'AA==' }],
  recovery: [
    { ...base, ...set, kind: 'recovery' },
    { ...base, ...set, kind: 'recovery', legacy: { scheme: 'proxmox', secret: '0123456789abcdef' } },
  ],
  scratch: [{ ...base, ...set, kind: 'scratch', digits: 8 }],
  bypass: [{ ...base, keyId: 'k1', salt: 'AA==', kind: 'bypass', hash: 'AA==', until: 5 }],
};

describe('what the store accepts as a factor', () => {
  for (const [kind, records] of Object.entries(samples).filter(([kind]) => formerKinds.includes(kind)))
    it(`is for ${kind} what one schema for all kinds accepted`, () => {
      assertSame(formerFactor, factorSchema, records);
    });

  it('names each kind by its key in the table, and by no other', () => {
    for (const [name, kind] of Object.entries(kinds)) {
      assert.equal(kind.kind, name);
      for (const [other, records] of Object.entries(samples)) {
        assert.ok(records.length > 0, other);
        for (const record of records)
          assert.equal(v.is(kind.schema, record), other === name, `${name} ${other}`);
      }
    }
  });
});

const portableBase = { enabled: true };
const whole = { name: 'pixel-7', created: 1, enabled: false };
const portableCredential = { credentialId: 'AA', publicKey: 'AA==', algorithm: 'es256' };

/** For each kind: what an import may contain. */
const portables: Readonly<Partial<Record<keyof typeof kinds, readonly object[]>>> = {
  totp: [
    { ...portableBase, ...otp, kind: 'totp', period: 30, mark: 'now', drift: 0 },
    { ...whole, ...otp, kind: 'totp', period: 300, mark: -1, drift: -99 },
  ],
  hotp: [{ ...whole, ...otp, kind: 'hotp', counter: 0 }],
  yubikey: [
    { ...portableBase, kind: 'yubikey', validation: 'cloud', publicId: 'cccc' },
    {
      ...whole,
      kind: 'yubikey',
      validation: 'local',
      publicId: 'cb',
      privateId: 'AAAAAAAA',
      secret: 'AA==',
      lastPress: -1,
    },
  ],
  webauthn: [{ ...whole, ...portableCredential, kind: 'webauthn', counter: 0, rpId: 'login.example.org' }],
  u2f: [{ ...whole, ...portableCredential, kind: 'u2f', appId: 'pam://host', verified: true }],
  scratch: [{ ...portableBase, kind: 'scratch', codes: ['12345678'] }],
  recovery: [{ ...whole, kind: 'recovery', secret: '0123456789abcdef', hashes: ['f'.repeat(64), null] }],
};

describe('what is accepted from other systems', () => {
  for (const [kind, records] of Object.entries(portables).filter(([kind]) => formerKinds.includes(kind)))
    it(`is for ${kind} what one schema for all kinds accepted`, () => {
      assertSame(formerPortable, portableSchema, records);
    });

  it('is of the kinds that can be imported', () => {
    const importable = Object.values(kinds).flatMap((one) => (one.importing === undefined ? [] : [one.kind]));
    assert.deepEqual(importable.sort(), Object.keys(portables).sort());
  });
});
