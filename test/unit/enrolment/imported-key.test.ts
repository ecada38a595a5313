import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { test } from 'node:test';
import { createAssertions } from '../../../daemon/authenticators/assertions.ts';
import { importingOf } from '../../../daemon/enrolment/apply-import.ts';
import type { PortableFactor } from '../../../daemon/enrolment/import-export-types.ts';
import type { Assertion, KeyAlgorithm } from '../../../daemon/factors/contract.ts';
import { createLog } from '../../../daemon/lib/log.ts';
import type { CredentialRecord } from '../../support/credential.ts';
import { keyOf } from '../../support/credential.ts';
import { keyedHash } from '../../support/verifier-rig.ts';
import { realm } from '../policy/support.ts';

/** Imported keys sign, and the code that verifies all others verifies their signatures. */

const rpId = 'login.example.org';
const bytes = (text: string | undefined) => Buffer.from(text ?? '', 'base64url');

interface Made {
  readonly algorithm: KeyAlgorithm;
  /** Raw, as other formats contain it. */
  readonly publicKey: Buffer;
  readonly key: KeyObject;
}

function es256(): Made {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = publicKey.export({ format: 'jwk' });
  return { algorithm: 'es256', publicKey: Buffer.concat([bytes(x), bytes(y)]), key: privateKey };
}

function eddsa(): Made {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { algorithm: 'eddsa', publicKey: bytes(publicKey.export({ format: 'jwk' }).x), key: privateKey };
}

function rs256(): Made {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const { n, e } = publicKey.export({ format: 'jwk' });
  return { algorithm: 'rs256', publicKey: Buffer.concat([bytes(n), bytes(e)]), key: privateKey };
}

function recordOf(moved: PortableFactor): CredentialRecord {
  const base = { id: 'a', name: 'key', created: 0, enabled: true };
  const setting = { now: 0, rpId, keyedHash, randomness: { bytes: randomBytes } };
  const factor = importingOf(moved).take(moved, base, realm(), setting);
  assert.ok(factor.kind === 'webauthn' || factor.kind === 'u2f');
  return factor;
}

function signed({ key, algorithm }: Made, credentialId: string, party: string, counter: number): Assertion {
  const challenge = randomBytes(32).toString('base64url');
  const origin = `pam://${party}`;
  const clientDataJSON = Buffer.from(
    JSON.stringify({ type: 'webauthn.get', challenge, origin, crossOrigin: false }),
  );
  const count = Buffer.alloc(4);
  count.writeUInt32BE(counter);
  const hash = (data: string | Buffer) => createHash('sha256').update(data).digest();
  const authenticatorData = Buffer.concat([hash(party), Buffer.from([0x01]), count]);
  const data = Buffer.concat([authenticatorData, hash(clientDataJSON)]);
  const signature = sign(algorithm === 'eddsa' ? null : 'sha256', data, key);
  return { credentialId, challenge, origin, clientDataJSON, authenticatorData, signature };
}

const verified = async (assertion: Assertion, record: CredentialRecord) => {
  const { signed: says } = await createAssertions(createLog(() => undefined, false)).of(assertion, [record]);
  return says?.(assertion, keyOf(record));
};

for (const made of [es256(), eddsa(), rs256()]) {
  const { algorithm } = made;
  const common = {
    enabled: true,
    algorithm,
    credentialId: 'AAAA',
    publicKey: made.publicKey.toString('base64'),
  } as const;

  test(`${algorithm} of Proxmox VE, only for its own relying party`, async () => {
    const record = recordOf({ ...common, kind: 'webauthn', counter: 7, rpId });
    assert.deepEqual(await verified(signed(made, 'AAAA', rpId, 8), record), {
      counter: 8,
      userVerified: false,
    });
    assert.equal(await verified(signed(made, 'AAAA', 'other.example.org', 8), record), undefined);
    assert.equal(record.counter, 7);
  });

  test(`${algorithm} of pam_u2f, for its origin=`, async () => {
    const record = recordOf({ ...common, kind: 'u2f', appId: 'pam://workstation', verified: false });
    assert.ok(await verified(signed(made, 'AAAA', 'pam://workstation', 1), record));
    assert.equal(await verified(signed(made, 'AAAA', rpId, 1), record), undefined);
  });
}
