import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { AttestationBody, CreationOptionsView } from '../../../daemon/api/sign-in-views.ts';
import { createBrowserKeys } from '../../../daemon/ceremonies/browser-enrolment.ts';
import { type ControlClient, createClient } from '../../../daemon/client/client.ts';
import { codeOf } from '../../../daemon/lib/errors.ts';
import { limits } from '../../../daemon/limits.ts';
import { clientData } from '../../support/authenticator/answers.ts';
import { type CredentialRequest, makeCredential } from '../../support/authenticator/credential.ts';
import { callAs } from '../../support/call-as.ts';
import { type ControlRig, startControl, uids } from '../../support/control-rig.ts';
import { asked, callers, knows, origin, realms, withPassword } from '../../support/sign-ins.ts';
import { assertionBy, softKey } from '../../support/soft-keys.ts';
import { phone } from '../control/records.ts';

/** Security keys added in a browser: requests and valid responses. */

let rig: ControlRig;
let client: ControlClient;
beforeEach(async () => {
  rig = await startControl({ config: realms });
  knows(rig);
  client = createClient({ socket: rig.socket });
});
afterEach(() => rig.close());

interface Said extends Partial<CredentialRequest> {
  readonly origin?: string;
  readonly challenge?: string;
  readonly type?: 'webauthn.create' | 'webauthn.get';
}
/** The response of a browser. */
function made(options: CreationOptionsView, said: Said = {}) {
  const { json, hash } = clientData(
    said.type ?? 'webauthn.create',
    said.challenge ?? options.challenge,
    said.origin ?? origin,
  );
  const answered = makeCredential({
    rpId: options.rp.id,
    clientDataHash: hash,
    attestation: 'none',
    ...said,
  });
  const body: AttestationBody = {
    credentialId: answered.credentialId.toString('base64url'),
    clientDataJSON: json.toString('base64url'),
    attestationObject: answered.attestationObject.toString('base64url'),
    transports: ['usb', 'nfc'],
  };
  return { body, credential: answered.credential };
}
const outcome = (of: Promise<unknown>) => of.then(() => 'added', codeOf);
const factors = async (account = 'alice') => (await rig.store.get(account))?.factors ?? [];

describe('a browser', () => {
  it('gets the request for a new key in its format', async () => {
    const held = softKey();
    await rig.store.put('alice', { factors: [phone, held.record] });
    const { options } = await client.beginKey('alice', { name: 'blue', origin });
    const { challenge, user, ...rest } = options;
    assert.equal(Buffer.from(challenge, 'base64url').length, 32);
    assert.equal(Buffer.from(user.id, 'base64url').length, 32);
    assert.ok(
      !Buffer.from(user.id, 'base64url').includes('alice'),
      'a key that is found does not tell whose',
    );
    assert.deepEqual([user.name, user.displayName], ['alice', 'alice']);
    assert.deepEqual(rest, {
      rp: { id: 'login.example.org', name: rest.rp.name },
      pubKeyCredParams: [-7, -8, -257],
      excludeCredentials: [held.record.credentialId],
      residentKey: 'discouraged',
      userVerification: 'discouraged',
      attestation: 'none',
      timeout: 90_000,
    });
  });

  it('gets another challenge each time, and the same user', async () => {
    const [one, two] = [
      await client.beginKey('alice', { origin }),
      await client.beginKey('alice', { origin }),
    ];
    assert.notEqual(one.options.challenge, two.options.challenge);
    assert.notEqual(one.id, two.id);
    assert.equal(one.options.user.id, two.options.user.id);
  });

  it('must attest the model if the realm accepts only some', async () => {
    const rp = { rpId: 'login.example.org', rpName: 'Example' };
    const keys = createBrowserKeys({
      verifier: {
        creationOptions: async (account) => ({
          account,
          rp,
          userId: Buffer.alloc(32),
          exclude: [],
          algorithms: ['eddsa'],
          residentKey: true,
          userVerification: 'required',
          attested: true,
        }),
        enrol: () => assert.fail('not here'),
      },
      configuration: { current: () => assert.fail('not here') },
      randomness: { bytes: (length) => Buffer.alloc(length, 1) },
      clock: { monotonic: () => 0 },
    });
    const { options } = await keys.begin('uid:1', 'alice', undefined);
    assert.deepEqual(
      [options.attestation, options.residentKey, options.userVerification, options.pubKeyCredParams],
      ['direct', 'required', 'required', [-8]],
    );
  });

  it('gets no request without a relying party', async () => {
    rig.setConfig('[[realm]]\nname = "everyone"\nrequire = "any"\n');
    await client.reload();
    assert.equal(await outcome(client.beginKey('alice', { origin })), 'no-relying-party');
  });
});

describe('a new key', () => {
  it('is added with its event, and its user can log in', async () => {
    await rig.store.put('alice', { factors: [phone] });
    const { id, options } = await client.beginKey('alice', { name: 'blue', origin });
    const { body, credential } = made(options);
    const added = await client.finishKey('alice', id, body);
    assert.deepEqual([added.factor.kind, added.factor.name], ['webauthn', 'blue']);
    const event = rig.store.trail.at(-1);
    assert.deepEqual([event?.kind, event?.outcome, event?.actor], ['factor-added', 'done', 'uid:0']);
    const record = (await factors()).find(({ kind }) => kind === 'webauthn');
    assert.ok(record?.kind === 'webauthn');
    const step = asked(await rig.signIns.begin(callers.portal, withPassword('alice')));
    const signed = assertionBy({ credential, record }, { challenge: step.key?.challenge ?? '', origin });
    const text = (bytes: Buffer) => bytes.toString('base64url');
    const answer = await rig.signIns.answer(callers.portal, step.id, {
      kind: 'assertion',
      credentialId: signed.credentialId,
      clientDataJSON: text(signed.clientDataJSON),
      authenticatorData: text(signed.authenticatorData),
      signature: text(signed.signature),
    });
    assert.equal(answer.step.kind, 'done');
  });

  it('is added once, even from two tabs at once', async () => {
    const { id, options } = await client.beginKey('alice', { origin });
    const { body } = made(options);
    const twice = [client.finishKey('alice', id, body), client.finishKey('alice', id, body)];
    assert.deepEqual((await Promise.all(twice.map(outcome))).sort(), ['added', 'no-such-ceremony']);
    assert.equal((await factors()).length, 1);
  });

  it('is added within a time limit, by a monotonic clock', async () => {
    const [early, late] = [
      await client.beginKey('alice', { origin }),
      await client.beginKey('alice', { origin }),
    ];
    rig.clock.ahead += 86_400_000;
    rig.clock.mono += limits.ceremonyDeadline - 5_000;
    assert.equal(await outcome(client.finishKey('alice', early.id, made(early.options).body)), 'added');
    rig.clock.mono += 5_000;
    assert.equal(
      await outcome(client.finishKey('alice', late.id, made(late.options).body)),
      'no-such-ceremony',
    );
    assert.equal((await factors()).length, 1);
  });

  const wrong: readonly (readonly [string, Said])[] = [
    ['on a foreign origin', { origin: 'https://evil.example' }],
    ['on one that begins like ours', { origin: `${origin}.evil.example` }],
    ['at this machine', { origin: 'pam://login.example.org' }],
    ['for another challenge', { challenge: Buffer.alloc(32).toString('base64url') }],
    ['by a use of a key', { type: 'webauthn.get' }],
    ['for another relying party', { rpId: 'evil.example' }],
    ['with nobody there', { up: false }],
  ];
  for (const [what, said] of wrong)
    it(`${what} is not added, and the challenge is void`, async () => {
      const { id, options } = await client.beginKey('alice', { origin });
      assert.equal(await outcome(client.finishKey('alice', id, made(options, said).body)), 'key-refused');
      assert.equal(await outcome(client.finishKey('alice', id, made(options).body)), 'no-such-ceremony');
      assert.deepEqual(await factors(), []);
    });

  it('under another id than its own is not added', async () => {
    const { id, options } = await client.beginKey('alice', { origin });
    const { body } = made(options);
    const borrowed = { ...body, credentialId: softKey().record.credentialId };
    assert.equal(await outcome(client.finishKey('alice', id, borrowed)), 'key-refused');
  });

  it('that exists already is not added again', async () => {
    const { id, options } = await client.beginKey('alice', { origin });
    const { body } = made(options);
    await client.finishKey('alice', id, body);
    const [held] = await factors();
    assert.ok(held?.kind === 'webauthn');
    const again = await client.beginKey('alice', { origin });
    assert.deepEqual(again.options.excludeCredentials, [held.credentialId]);
  });

  it('for a former relying party is not added', async () => {
    const { id, options } = await client.beginKey('alice', { origin });
    rig.setConfig(realms.replaceAll('login.example.org', 'sso.example.org'));
    await client.reload();
    assert.equal(await outcome(client.finishKey('alice', id, made(options).body)), 'no-relying-party');
  });
});

describe('an enrolment', () => {
  const own = async (user: string) => {
    const view = await rig.signIns.begin(callers.portal, withPassword(user));
    assert.ok(view.step.kind === 'done');
    return view.step.token.token;
  };

  it('belongs to the user who began it, for the account it was begun for', async () => {
    const tokens = { carol: await own('carol'), bob: await own('bob') };
    const post = (token: string, path: string, body: object) => ({
      method: 'POST',
      path,
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    });
    const [begun] = await callAs(uids.portal, rig.socket, [post(tokens.carol, '/v1/users/carol/keys', {})]);
    assert.ok(begun !== undefined);
    const { id, options } = begun.body as unknown as { id: string; options: CreationOptionsView };
    const { body } = made(options);
    const codes = (
      await callAs(uids.portal, rig.socket, [
        post(tokens.bob, `/v1/users/carol/keys/${id}`, body),
        post(tokens.bob, `/v1/users/bob/keys/${id}`, body),
        post(tokens.carol, `/v1/users/bob/keys/${id}`, body),
        { ...post('', `/v1/users/carol/keys/${id}`, body), headers: {} },
        post(tokens.carol, `/v1/users/carol/keys/${id}`, body),
      ])
    ).map((answer) => answer.body.error?.code ?? 'added');
    const other = 'no-such-ceremony';
    assert.deepEqual(codes, [other, other, 'not-permitted', 'token-needed', 'added']);
    assert.deepEqual([(await factors('carol')).length, (await factors('bob')).length], [1, 0]);
    assert.equal(rig.store.trail.at(-1)?.actor, `uid:${uids.carol}`);
  });

  it('displaces none of other users, however many a user begins', async () => {
    const keys = createBrowserKeys({
      verifier: rig.verifier,
      configuration: { current: () => ({ portal: { origins: [origin] } }) as never },
      randomness: { bytes: (length) => crypto.getRandomValues(Buffer.alloc(length)) },
      clock: { monotonic: () => 0 },
    });
    const { id, options } = await keys.begin('uid:1', 'carol', undefined);
    const first = await keys.begin('uid:2', 'bob', undefined);
    for (let times = 0; times < limits.signInsPerAccount; times += 1)
      await keys.begin('uid:2', 'bob', undefined);
    const late = keys.finish('uid:2', 'bob', first.id, made(first.options).body);
    assert.equal(await outcome(late), 'no-such-ceremony');
    assert.equal(await outcome(keys.finish('uid:1', 'carol', id, made(options).body)), 'added');
  });
});
