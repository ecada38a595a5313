import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { verifyRegistration, type Wanted } from '../../../daemon/authenticators/registrations.ts';
import type { Registration } from '../../../daemon/factors/answer.ts';
import { limits } from '../../../daemon/limits.ts';
import { clientData } from '../../support/authenticator/answers.ts';
import {
  type Cbor,
  type CborKey,
  type CborMap,
  cborMap,
  decode,
  encode,
} from '../../support/authenticator/cbor.ts';
import {
  type Certified,
  newAttestationCertificate,
  newRoot,
} from '../../support/authenticator/certificate.ts';
import {
  type Attestation,
  type CredentialRequest,
  defaultAaguid,
  type MadeCredential,
  makeCredential,
} from '../../support/authenticator/credential.ts';
import { eddsa, es256, rs256 } from '../../support/authenticator/keys.ts';

const rpId = 'login.example.org';
const origin = `pam://${rpId}`;
const model = '5a119704-7e57-cafe-8000-000000000001';

interface Answered {
  readonly made: MadeCredential;
  readonly registration: Registration;
}

/** What a key returns when a credential is requested. @param change of the result */
function answered(
  request: Partial<CredentialRequest> = {},
  said: { challenge?: string; origin?: string; type?: 'webauthn.get' | 'webauthn.create' } = {},
): Answered {
  const challenge = randomBytes(32).toString('base64url');
  const { json, hash } = clientData(
    said.type ?? 'webauthn.create',
    said.challenge ?? challenge,
    said.origin ?? origin,
  );
  const made = makeCredential({ rpId, clientDataHash: hash, ...request });
  const registration = {
    credentialId: made.credentialId.toString('base64url'),
    challenge,
    origin,
    rpId,
    clientDataJSON: json,
    attestationObject: made.attestationObject,
    transports: ['usb'],
  };
  return { made, registration };
}

const anyModel: Wanted = { userVerification: 'discouraged', residentKey: false };
const refused = (why: RegExp) => ({ code: 'key-refused', message: why });
const add = (request: Partial<CredentialRequest> = {}, wanted = anyModel) =>
  verifyRegistration(answered(request).registration, wanted);

/** The attestation object with a change. */
function changed(of: Buffer, change: (map: CborMap) => CborMap): Buffer {
  const map = decode(of);
  assert.ok(map instanceof Map);
  return encode(change(map as CborMap));
}
const withPart = (name: string, value: Cbor) => (map: CborMap) =>
  cborMap(...[...map].map(([key, old]): [CborKey, Cbor] => [key, key === name ? value : old]));

let fetched: unknown[];
const realFetch = globalThis.fetch;
beforeEach(() => {
  fetched = [];
  globalThis.fetch = (what) => {
    fetched.push(what);
    return Promise.reject(new Error('nothing is fetched'));
  };
});
afterEach(() => {
  globalThis.fetch = realFetch;
  assert.deepEqual(fetched, []);
});

const root = newRoot();
const maker = newAttestationCertificate(root, defaultAaguid);
const packedBy = (certified: Certified, ...more: readonly Buffer[]): Attestation => {
  return { fmt: 'packed', x5c: [certified.certificate, ...more], privateKey: certified.privateKey };
};
const u2fBy = (certified: Certified): Attestation => {
  return { fmt: 'fido-u2f', x5c: [certified.certificate], privateKey: certified.privateKey };
};
const nobodys = newAttestationCertificate(newRoot('Nobody’s root'), defaultAaguid);
const bare = newAttestationCertificate(root);

describe('if any model is accepted', () => {
  const kinds: [string, Partial<CredentialRequest>][] = [
    ['none', { attestation: 'none' }],
    ['packed by the key itself', { attestation: 'self' }],
    ['packed with certificates', { attestation: packedBy(maker) }],
    ['U2F', { attestation: u2fBy(bare) }],
    ['packed with certificates of nobody', { attestation: packedBy(nobodys) }],
    ['packed with a wrong signature', { attestation: packedBy(maker), wrongSignature: true }],
    [
      'of a certificate that is none',
      { attestation: { fmt: 'packed', x5c: [Buffer.from('none')], privateKey: maker.privateKey } },
    ],
  ];
  for (const [what, request] of kinds)
    it(`attestation ${what} creates a credential, and attests no model`, async () => {
      const { made, registration } = answered(request);
      const credential = await verifyRegistration(registration, anyModel);
      assert.deepEqual(
        { ...credential, publicKey: '' },
        {
          rpId,
          credentialId: made.credentialId.toString('base64url'),
          publicKey: '',
          algorithm: 'es256',
          counter: 0,
          aaguid: what === 'U2F' ? '00000000-0000-0000-0000-000000000000' : model,
          attested: false,
          resident: false,
          transports: ['usb'],
        },
      );
    });

  const statements: [string, Cbor][] = [
    ['is no map', 'text'],
    ['has parts of other types', cborMap(['alg', 'none'], ['sig', 7], ['x5c', 'text'])],
    ['is empty', cborMap()],
  ];
  for (const [what, statement] of statements)
    it(`a statement that ${what} is not verified`, async () => {
      const { registration } = answered();
      const attestationObject = changed(registration.attestationObject, withPart('attStmt', statement));
      assert.equal(
        (await verifyRegistration({ ...registration, attestationObject }, anyModel)).attested,
        false,
      );
    });

  it('an unknown format is not verified', async () => {
    const { registration } = answered();
    const attestationObject = changed(registration.attestationObject, withPart('fmt', 'whatever'));
    await verifyRegistration({ ...registration, attestationObject }, anyModel);
  });

  const broken: [string, (of: Buffer) => Buffer][] = [
    ['nothing', () => Buffer.alloc(0)],
    ['no CBOR', () => Buffer.from('ff', 'hex')],
    ['a number', () => Buffer.from('07', 'hex')],
    ['a list', () => Buffer.from('80', 'hex')],
    ['cut off', (of) => of.subarray(0, of.length - 20)],
    [
      'without authData',
      (of) => changed(of, (map) => cborMap(...[...map].filter(([key]) => key !== 'authData'))),
    ],
    ['authData that is a text', (of) => changed(of, withPart('authData', 'x'.repeat(200)))],
    ['authData that is a list', (of) => changed(of, withPart('authData', [1, 2, 3]))],
    ['authData that is short', (of) => changed(of, withPart('authData', Buffer.alloc(36)))],
    ['authData of zeros', (of) => changed(of, withPart('authData', Buffer.alloc(200)))],
    [
      'authData that is longer than its length can say',
      (of) => changed(of, withPart('authData', Buffer.alloc(65_536))),
    ],
    [
      'authData with more behind it',
      (of) =>
        changed(of, (map) =>
          withPart(
            'authData',
            Buffer.concat([Buffer.from(map.get('authData') as Uint8Array), Buffer.from('more')]),
          )(map),
        ),
    ],
  ];
  for (const [what, change] of broken)
    it(`an attestation object that is ${what} is rejected`, async () => {
      const { registration } = answered({ attestation: 'none' });
      const attestationObject = change(registration.attestationObject);
      await assert.rejects(verifyRegistration({ ...registration, attestationObject }, anyModel), {
        code: 'key-refused',
      });
    });

  for (const [name, algorithm] of [
    ['es256', es256],
    ['eddsa', eddsa],
    ['rs256', rs256],
  ] as const)
    it(`accepts ${name}`, async () => assert.equal((await add({ algorithm })).algorithm, name));

  it('accepts no other algorithm, whatever the key reports', async () => {
    const { made, registration } = answered({ attestation: 'none' });
    // The COSE key contains 03 26: alg -7. 38 22 is -35 (ES384), 38 23 is -36.
    for (const other of ['3822', '3823', '382e']) {
      const hex = made.authData.toString('hex');
      const authData = Buffer.from(hex.replace('0102032620', `010203${other}20`), 'hex');
      assert.notEqual(authData.length, made.authData.length);
      const attestationObject = changed(registration.attestationObject, withPart('authData', authData));
      await assert.rejects(
        verifyRegistration({ ...registration, attestationObject }, anyModel),
        refused(/alg/),
      );
    }
  });

  it("stores the key's counter, and that it is resident if requested", async () => {
    const credential = await add({ counter: 41 }, { ...anyModel, residentKey: true });
    assert.deepEqual([credential.counter, credential.resident], [41, true]);
  });
});

describe('a registration is rejected', () => {
  const rows: [string, () => Registration, RegExp][] = [
    ['for another challenge', () => answered({}, { challenge: 'AAAA' }).registration, /challenge/],
    ['from another origin', () => answered({}, { origin: `https://${rpId}` }).registration, /origin/],
    ['of another type', () => answered({}, { type: 'webauthn.get' }).registration, /type/],
    ['for another relying party', () => answered({ rpId: 'example.org' }).registration, /./],
    ['with nobody present', () => answered({ up: false }).registration, /present/],
    [
      'whose id is not the one that is attested',
      () => ({ ...answered().registration, credentialId: answered().registration.credentialId }),
      /another credential/,
    ],
    ['without an id', () => ({ ...answered().registration, credentialId: '' }), /./],
    [
      'whose clientDataJSON is none',
      () => ({ ...answered().registration, clientDataJSON: Buffer.from('null') }),
      /./,
    ],
  ];
  for (const [what, registration, why] of rows)
    it(what, () => assert.rejects(verifyRegistration(registration(), anyModel), refused(why)));

  it('without user verification if the realm requires it, and only then', async () => {
    const required: Wanted = { ...anyModel, userVerification: 'required' };
    await assert.rejects(add({}, required), refused(/verif/));
    await add({ uv: true }, required);
    await add({}, { ...anyModel, userVerification: 'preferred' });
  });
});

describe('if a realm accepts only some models', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-metadata-'));
  after(() => rmSync(directory, { recursive: true }));
  let files = 0;
  const statement = (part: object = {}, ...roots: readonly Certified[]) => ({
    description: 'a key for tests',
    aaguid: model,
    attestationTypes: ['basic_full'],
    authenticationAlgorithms: ['secp256r1_ecdsa_sha256_raw'],
    attestationRootCertificates: (roots.length === 0 ? [root] : roots).map(({ certificate }) =>
      certificate.toString('base64'),
    ),
    ...part,
  });
  const written = (text: string): string => {
    files += 1;
    const file = join(directory, `metadata-${files}.json`);
    writeFileSync(file, text);
    return file;
  };
  const allowing = (metadata: unknown, aaguids: readonly string[] = [model]): Wanted => ({
    ...anyModel,
    models: { aaguids, metadataFile: written(JSON.stringify(metadata)) },
  });
  let good: Wanted;
  before(() => {
    good = allowing([statement()]);
  });
  const attested = { attestation: packedBy(maker) };

  it('one attested by a root of its statement is accepted, and the record says so', async () => {
    const credential = await add(attested, good);
    assert.deepEqual([credential.attested, credential.aaguid], [true, model]);
    for (const metadata of [
      { entries: [{ metadataStatement: statement() }] },
      {
        entries: [
          { aaguid: model, metadataStatement: statement(), statusReports: [{ status: 'FIDO_CERTIFIED_L1' }] },
        ],
      },
      [statement({ aaguid: model.toUpperCase() })],
      [statement({}, newRoot('another root'), root)],
      [statement({}, root, newRoot('another root'))],
    ])
      assert.equal((await add(attested, allowing(metadata))).attested, true);
  });

  it('all other checks apply too', async () => {
    const { registration } = answered(attested, { challenge: 'AAAA' });
    await assert.rejects(verifyRegistration(registration, good), refused(/challenge/));
    await assert.rejects(add(attested, { ...good, userVerification: 'required' }), refused(/verif/));
    const other = answered(attested).registration.credentialId;
    await assert.rejects(
      verifyRegistration({ ...answered(attested).registration, credentialId: other }, good),
      refused(/another credential/),
    );
  });

  const proofless: [string, Partial<CredentialRequest>][] = [
    ['none', { attestation: 'none' }],
    ['self attestation', { attestation: 'self' }],
    ['U2F, that has no model', { attestation: u2fBy(bare) }],
    ['certificates of another root', { attestation: packedBy(nobodys) }],
    ['a signature that is wrong', { ...attested, wrongSignature: true }],
    [
      'the right certificate under another key',
      { attestation: { fmt: 'packed', x5c: [maker.certificate], privateKey: nobodys.privateKey } },
    ],
    ['no certificate in its list', { attestation: { fmt: 'packed', x5c: [], privateKey: maker.privateKey } }],
    ['the root itself as its certificate', { attestation: packedBy(root) }],
    ['a certificate for another model', { ...attested, aaguid: Buffer.alloc(16, 9) }],
    ['a certificate that only stands beside the root', { attestation: packedBy(nobodys, root.certificate) }],
  ];
  for (const [what, request] of proofless)
    it(`${what} attests nothing`, () => assert.rejects(add(request, good), refused(/./)));

  it('self attestation with the model of an accepted key attests nothing, nor does U2F’s zero AAGUID if that is accepted', async () => {
    const zero = '00000000-0000-0000-0000-000000000000';
    const wanted = allowing([statement({ aaguid: zero }), statement()], [zero, model]);
    await assert.rejects(
      add({ attestation: u2fBy(bare) }, wanted),
      refused(/does not prove|model|metadata/i),
    );
    await assert.rejects(
      add({ attestation: 'self', aaguid: Buffer.alloc(16) }, wanted),
      refused(/does not prove/),
    );
  });

  const elsewhere = newAttestationCertificate(root, Buffer.alloc(16, 9));
  const nines = '09090909-0909-0909-0909-090909090909';
  const models: [string, () => Wanted, Partial<CredentialRequest>][] = [
    [
      'a model that is not in the list',
      () => allowing([statement(), statement({ aaguid: nines })]),
      { attestation: packedBy(elsewhere), aaguid: Buffer.alloc(16, 9) },
    ],
    [
      'a model without a statement',
      () => allowing([statement()], [model, nines]),
      { attestation: packedBy(elsewhere), aaguid: Buffer.alloc(16, 9) },
    ],
    ['a statement without roots', () => allowing([statement({ attestationRootCertificates: [] })]), attested],
    [
      'a statement with roots that are none',
      () => allowing([statement({ attestationRootCertificates: ['AAAA'] })]),
      attested,
    ],
    [
      'a statement with roots that are numbers',
      () => allowing([statement({ attestationRootCertificates: [1] })]),
      attested,
    ],
    [
      'a statement that knows no full attestation',
      () => allowing([statement({ attestationTypes: ['basic_surrogate'] })]),
      attested,
    ],
    [
      'a statement for other algorithms',
      () => allowing([statement({ authenticationAlgorithms: [] })]),
      attested,
    ],
    ['an empty list', () => allowing([]), attested],
    ['entries that are rubbish', () => allowing([null, 7, 'text', [], { metadataStatement: 7 }]), attested],
  ];
  for (const [what, wanted, request] of models)
    it(`${what}: rejected`, () => assert.rejects(add(request, wanted()), refused(/./)));

  for (const status of [
    'REVOKED',
    'ATTESTATION_KEY_COMPROMISE',
    'USER_KEY_REMOTE_COMPROMISE',
    'USER_KEY_PHYSICAL_COMPROMISE',
    'USER_VERIFICATION_BYPASS',
  ])
    it(`a model with the report ${status} is rejected, and stays rejected`, async () => {
      const reports = [{ status: 'FIDO_CERTIFIED' }, { status }, { status: 'UPDATE_AVAILABLE' }];
      const bad = { metadataStatement: statement(), statusReports: reports };
      await assert.rejects(add(attested, allowing({ entries: [bad] })), refused(/metadata/));
      for (const entries of [
        [bad, { metadataStatement: statement() }],
        [{ metadataStatement: statement() }, bad],
      ])
        await assert.rejects(add(attested, allowing({ entries })), refused(/metadata/), 'said twice');
    });

  const unreadable: [string, () => string][] = [
    ['is missing', () => join(directory, 'nothing.json')],
    ['is a directory', () => directory],
    ['is no JSON', () => written('not JSON')],
    ['is no list', () => written('{"no": "entries"}')],
    ['is a number', () => written('7')],
    ['is too large', () => written(JSON.stringify([statement()]).padEnd(limits.metadataFile + 1))],
  ];
  for (const [what, file] of unreadable)
    it(`a file that ${what} does not bypass this`, () =>
      assert.rejects(add(attested, { ...anyModel, models: { aaguids: [model], metadataFile: file() } }), {
        code: 'metadata-unreadable',
      }));

  it('a file of exactly the maximum size is read', async () => {
    const text = JSON.stringify([statement()]);
    const metadataFile = written(text.padEnd(limits.metadataFile));
    await add(attested, { ...anyModel, models: { aaguids: [model], metadataFile } });
  });

  it('realms with different files do not mix, even concurrently', async () => {
    const theirs = newRoot('their root');
    const theirMaker = newAttestationCertificate(theirs, defaultAaguid);
    const wanted = [good, allowing([statement({}, theirs)]), anyModel] as const;
    const makers = [maker, theirMaker];
    const outcomes = await Promise.all(
      Array.from({ length: 48 }, async (_, index) => {
        const [which, by] = [index % 3, Math.floor(index / 3) % 2];
        const request = { attestation: packedBy(makers[by] ?? maker) };
        const fits = which === 2 || which === by;
        const made = await add(request, wanted[which]).catch((error: { code?: string }) => error.code);
        return fits ? typeof made === 'object' && made.attested === (which !== 2) : made === 'key-refused';
      }),
    );
    assert.deepEqual(
      outcomes,
      outcomes.map(() => true),
    );
  });

  it('what one realm accepts is not used for the next request of another', async () => {
    await add(attested, good);
    await assert.rejects(add(attested, allowing([])), refused(/metadata/));
    assert.equal((await add(attested, anyModel)).attested, false);
  });

  it('a certificate with a revocation list needs fetch, which the daemon forbids', async () => {
    const url = 'http://crl.example.org/revoked.crl';
    const listed = packedBy(newAttestationCertificate(root, defaultAaguid, url));
    await add({ attestation: listed }, anyModel);
    assert.deepEqual(fetched, [], 'where the attestation is not looked at it is not even asked for');
    assert.equal((await add({ attestation: listed }, good)).attested, true);
    assert.deepEqual(fetched.splice(0), [url]);
  });
});
