import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { TokenCheck } from '../../../daemon/api/access.ts';
import type { CeremonyBody, CeremonyStep, CeremonyView } from '../../../daemon/api/views.ts';
import { type ControlClient, ControlError, createClient } from '../../../daemon/client/client.ts';
import type { Asserted, FidoReason, Made } from '../../../daemon/host/contract.ts';
import type { MakeRequest } from '../../../daemon/protocol/fido-requests.ts';
import { getAssertion, makeCredential } from '../../support/authenticator/credential.ts';
import { rawPoint } from '../../support/authenticator/keys.ts';
import { call } from '../../support/call.ts';
import { callAs } from '../../support/call-as.ts';
import { type ControlRig, type RigOptions, startControl, uids } from '../../support/control-rig.ts';
import { type FakeCall, failed } from '../../support/fake-keys.ts';
import { legacyKey, rpId, softKey } from '../../support/soft-keys.ts';
import { until } from '../../support/until.ts';
import { paper, phone } from '../control/records.ts';

/** Enrolments of plugged-in keys over control.sock: steps, PINs, ownership, and how they end. */

const config = `
[webauthn]
rp_id = "${rpId}"
[[realm]]
name = "staff"
members = { users = ["alice"] }
require = ["totp", "webauthn"]
[[realm]]
name = "otp"
members = { users = ["carol"] }
require = ["yubikey"]
[[realm]]
name = "everyone"
require = "none"
`;

let rig: ControlRig;
let client: ControlClient;
const start = async (options: RigOptions = {}): Promise<void> => {
  rig = await startControl({ config, ...options });
  client = createClient({ socket: rig.socket });
};
beforeEach(() => start());
afterEach(() => rig.close());

const coded = (code: string) => (error: unknown) => error instanceof ControlError && error.code === code;
const made = ({ request }: FakeCall<MakeRequest, Made>, uv = false): Made => {
  const { clientDataHash, rp } = request;
  return { kind: 'made', ...makeCredential({ rpId: rp.id, clientDataHash, uv }) };
};
/** The end of it. */
async function ended(view: CeremonyView, user = 'alice'): Promise<CeremonyStep> {
  let now = view;
  while (now.step.kind !== 'done' && now.step.kind !== 'failed') now = await client.nextStep(user, now);
  return now.step;
}
const begun = (user = 'alice', body: CeremonyBody = { kind: 'webauthn' }) => client.beginCeremony(user, body);
const factorsOf = async (user = 'alice') => (await rig.store.get(user))?.factors ?? [];
/** Restarts with other limits. */
const restart = async (options: RigOptions): Promise<void> => {
  await rig.close();
  await start(options);
};

describe('adding a security key', () => {
  test('step by step, to a factor that is stored, listed and audited', async () => {
    rig.keys.plug();
    let view = await begun('alice', { kind: 'webauthn', name: 'blue key' });
    const asked = await rig.keys.makes();
    assert.deepEqual([asked.request.rp, asked.request.user.name], [{ id: rpId, name: 'host' }, 'alice']);
    assert.deepEqual([asked.request.exclude, asked.request.algorithms], [[], ['es256', 'eddsa', 'rs256']]);
    assert.equal(asked.request.user.id.length, 32);
    const steps: unknown[] = [];
    const says = [
      () => asked.watch({ kind: 'keys', count: 0 }),
      () => asked.watch({ kind: 'keys', count: 1 }),
      () => asked.watch({ kind: 'touch' }),
      () => asked.answer(made(asked)),
    ];
    for (const say of says) {
      say();
      view = await client.nextStep('alice', view);
      steps.push(view.step.kind);
    }
    assert.deepEqual(steps.slice(0, 3), ['insert', 'working', 'touch']);
    const step = await ended(view);
    assert.ok(step.kind === 'done');
    assert.deepEqual(
      [step.added.account, step.added.factor.kind, step.added.factor.name],
      ['alice', 'webauthn', 'blue key'],
    );
    const [factor] = await factorsOf();
    assert.ok(factor?.kind === 'webauthn');
    assert.deepEqual([factor.rpId, factor.attested, factor.enabled], [rpId, false, true]);
    assert.deepEqual(
      (await client.factors('alice')).map(({ id }) => id),
      [factor.id],
    );
    assert.deepEqual(
      rig.store.trail.map(({ kind, outcome, reason, actor, account, factor: of }) => [
        kind,
        outcome,
        reason,
        actor,
        account,
        of?.id,
      ]),
      [['factor-added', 'done', 'verified', 'uid:0', 'alice', factor.id]],
    );
    await assert.rejects(
      client.nextStep('alice', { ...view, step: { ...view.step, number: 0 } }),
      coded('no-such-ceremony'),
    );
  });

  test("sends the key the account's credentials, disabled or old, so that none is added twice", async () => {
    const [blue, green, old] = [
      softKey(),
      softKey({ id: 'w2', name: 'green', enabled: false }),
      legacyKey('pam://host'),
    ];
    const bobs = softKey({ id: 'w9' });
    await rig.store.put('alice', { factors: [blue.record, phone, green.record, old.record] });
    await rig.store.put('bob', { factors: [bobs.record] });
    const view = await begun();
    const asked = await rig.keys.makes();
    assert.deepEqual(
      asked.request.exclude,
      [blue, green, old].map(({ credential }) => credential.id),
    );
    // A key that answers anyway is not accepted.
    asked.answer({ ...made(asked), ...makeCredentialOf(blue, asked) });
    const step = await ended(view);
    assert.ok(step.kind === 'failed');
    assert.equal(step.code, 'bad-secret');
    assert.equal((await factorsOf()).length, 4);
  });

  test('requests what the realm requires, and verifies it', async () => {
    await restart({
      config: config.replace(
        '"webauthn"]',
        '"webauthn"]\nwebauthn = { user_verification = "required", resident_key = "required" }',
      ),
    });
    const view = await begun();
    const asked = await rig.keys.makes();
    assert.deepEqual([asked.request.userVerification, asked.request.resident], ['required', true]);
    asked.answer(made(asked, false));
    const step = await ended(view);
    assert.deepEqual(step.kind === 'failed' && step.code, 'key-refused');
    const again = await begun();
    const second = await rig.keys.makes(2);
    second.answer(made(second, true));
    assert.equal((await ended(again)).kind, 'done');
  });

  test('a response to another challenge, or for another relying party, is rejected', async () => {
    const old = await begun();
    const first = await rig.keys.makes();
    const view = await begun();
    const second = await rig.keys.makes(2);
    assert.notDeepEqual(first.request.clientDataHash, second.request.clientDataHash);
    const party = makeCredential({ rpId: 'evil.example', clientDataHash: second.request.clientDataHash });
    second.answer({ kind: 'made', ...party });
    const step = await ended(view);
    assert.deepEqual(step.kind === 'failed' && step.code, 'key-refused');
    await assert.rejects(client.nextStep('alice', old), coded('no-such-ceremony'));
    assert.deepEqual(await factorsOf(), []);
  });

  const reasons: [FidoReason, string][] = [
    ['no-touch', 'key-unavailable'],
    ['no-key', 'key-unavailable'],
    ['helper-failed', 'key-unavailable'],
    ['wrong-key', 'key-refused'],
    ['excluded', 'key-refused'],
    ['no-pin', 'key-refused'],
    ['pin-blocked', 'key-refused'],
    ['unsupported', 'key-refused'],
    ['key-full', 'key-refused'],
    ['key-failed', 'key-refused'],
  ];
  for (const [reason, code] of reasons)
    test(`that fails with ${reason} is ${code}, and nothing is stored`, async () => {
      const view = await begun();
      (await rig.keys.makes()).answer(failed(reason));
      const step = await ended(view);
      assert.ok(step.kind === 'failed');
      assert.equal(step.code, code);
      assert.ok(step.message.length > 10);
      assert.deepEqual([await rig.store.get('alice'), rig.store.trail], [undefined, []]);
    });

  test('a store that cannot be written, and a configuration that changed meanwhile, are reported', async () => {
    const view = await begun();
    const asked = await rig.keys.makes();
    rig.store.breakWrites('ENOSPC');
    asked.answer(made(asked));
    const step = await ended(view);
    assert.deepEqual(step.kind === 'failed' && step.code, 'store-unwritable');
    rig.store.breakWrites(undefined);
    const again = await begun();
    const second = await rig.keys.makes(2);
    rig.setConfig(config.replace(rpId, 'other.example'));
    await client.reload();
    second.answer(made(second));
    const other = await ended(again);
    assert.deepEqual(other.kind === 'failed' && other.code, 'no-relying-party');
    assert.deepEqual(await factorsOf(), []);
  });
});

/** The response of a key that creates a credential under an existing id. */
function makeCredentialOf(key: ReturnType<typeof softKey>, asked: FakeCall<MakeRequest, Made>): Made {
  const made = makeCredential({ rpId, clientDataHash: asked.request.clientDataHash, attestation: 'none' });
  const hex = made.attestationObject.toString('hex');
  const own = hex.replace(made.credentialId.toString('hex'), key.credential.id.toString('hex'));
  return { kind: 'made', credentialId: key.credential.id, attestationObject: Buffer.from(own, 'hex') };
}

describe('what is rejected before a key blinks', () => {
  test('where the realm accepts only YubiKey OTPs (R8), for webauthn and for u2f', async () => {
    await assert.rejects(begun('carol'), coded('factor-kind-not-allowed'));
    await assert.rejects(
      begun('carol', legacyBody(legacyKey('pam://host'))),
      coded('factor-kind-not-allowed'),
    );
  });
  test('without a relying party, with how to choose one', async () => {
    await restart({ config: config.replace(/\[webauthn\]\n.*\n/, '') });
    await assert.rejects(begun(), (error) => coded('no-relying-party')(error) && /rp_id/.test(String(error)));
  });
  test('if the account has no free slot, or does not exist', async () => {
    const factors = Array.from({ length: 32 }, (_, index) => ({
      ...phone,
      id: `f${index}`,
      name: `f${index}`,
    }));
    await rig.store.put('alice', { factors });
    await assert.rejects(begun(), coded('too-many-factors'));
    await assert.rejects(begun('nobody'), coded('no-such-account'));
  });
  test('a request body of another kind', async () => {
    const send = async (body: object, path = 'ceremonies') => {
      const text = JSON.stringify(body);
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
      const answer = await call(rig.socket, {
        method: 'POST',
        path: `/v1/users/alice/${path}`,
        body: text,
        headers,
      });
      return answer.body.error?.code;
    };
    const body = legacyBody(legacyKey('pam://host'));
    for (const wrong of [
      {},
      { kind: 'totp' },
      { kind: 'webauthn', verify: false },
      { kind: 'webauthn', credentialId: 'AAAA' },
      { ...body, credentialId: 'A'.repeat(1_365) },
      { ...body, credentialId: 'not base64url!' },
      { ...body, publicKey: 'A'.repeat(516) },
      { ...body, appId: 'x'.repeat(256) },
      { ...body, algorithm: 'es384' },
      { ...body, name: 'n'.repeat(257) },
    ])
      assert.equal(await send(wrong), 'bad-request', JSON.stringify(wrong).slice(0, 80));
    assert.equal(await send({ kind: 'webauthn', name: 'n'.repeat(70_000) }), 'body-too-large');
    for (const wrong of [
      { seen: -1 },
      { seen: 1, pin: '' },
      { seen: 1, pin: 'x'.repeat(64) },
      { pin: '1234' },
    ])
      assert.equal(await send(wrong, 'ceremonies/abcd'), 'bad-request', JSON.stringify(wrong));
    assert.equal(await send({ seen: 0, pin: 'x'.repeat(63) }, 'ceremonies/abcd'), 'no-such-ceremony');
  });
  afterEach(() => assert.deepEqual([rig.keys.made.length, rig.keys.asserted.length], [0, 0]));
});

function legacyBody({ credential, record }: ReturnType<typeof legacyKey>): CeremonyBody & { kind: 'u2f' } {
  return {
    kind: 'u2f',
    credentialId: record.credentialId,
    publicKey: rawPoint(createPublicKey(credential.privateKey)).toString('base64'),
    algorithm: 'es256',
    appId: record.appId,
    verified: record.verified,
  };
}

describe('a PIN', () => {
  test('is passed on once per request, and appears nowhere else', async () => {
    let view = await begun();
    const asked = await rig.keys.makes();
    asked.watch({ kind: 'pin', why: 'first' });
    view = await client.nextStep('alice', view);
    assert.deepEqual(view.step, { kind: 'pin', why: 'first', number: 1 });
    const next = client.nextStep('alice', view, 'sesame-1');
    await until(() => asked.pins.length > 0, 60_000);
    asked.watch({ kind: 'pin', why: 'wrong', retries: 2 });
    view = await next;
    assert.deepEqual(view.step, { kind: 'pin', why: 'wrong', retries: 2, number: 2 });
    const last = client.nextStep('alice', view, 'sesame-2');
    await until(() => asked.pins.length > 1, 60_000);
    asked.watch({ kind: 'touch' });
    view = await last;
    asked.answer(made(asked, true));
    assert.equal((await ended(view)).kind, 'done');
    assert.deepEqual(asked.pins, ['sesame-1', 'sesame-2']);
    assert.ok(!/sesame/.test(JSON.stringify([rig.logged, rig.store.trail, rig.store.commits])));
  });

  test('may take longer to type than a key blinks without a touch', async () => {
    await restart({ limits: { ceremonyIdle: 150, ceremonyPoll: 50 } });
    const view = await begun();
    const asked = await rig.keys.makes();
    asked.watch({ kind: 'pin', why: 'first' });
    const wanted = await client.nextStep('alice', view);
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.equal(asked.cancelled, false);
    await client.nextStep('alice', wanted, '1234');
    assert.deepEqual(asked.pins, ['1234']);
  });
});

describe('ownership', () => {
  const person = (uid: number, admin: boolean) => ({ uid, admin, root: false, portal: false, fresh: true });
  const tokens: TokenCheck = {
    holder: async (token) =>
      token === 'alice' ? person(uids.alice, false) : token === 'bob' ? person(uids.bob, true) : undefined,
  };
  const post = (user: string, path: string, body: object) => {
    const text = JSON.stringify(body);
    return { method: 'POST', path: `/v1/users/${user}/ceremonies${path}`, body: text };
  };
  const as = async (
    who: 'alice' | 'bob',
    request: ReturnType<typeof post> | { method: string; path: string },
  ) => {
    const [answer] = await callAs(uids[who], rig.socket, [
      { ...request, headers: { authorization: `Bearer ${who}` } },
    ]);
    assert.ok(answer !== undefined);
    return answer;
  };

  test('no other user continues or ends it, including root and administrators', async () => {
    await restart({ tokens });
    const begins = await as('alice', post('alice', '', { kind: 'webauthn' }));
    assert.equal(begins.status, 200);
    const id = String(begins.body.id);
    const asked = await rig.keys.makes();
    asked.watch({ kind: 'pin', why: 'first' });
    const view = { id, step: { kind: 'working', number: 0 } } as const;
    await assert.rejects(client.nextStep('alice', view, '0000'), coded('no-such-ceremony'));
    await assert.rejects(client.cancelCeremony('alice', id), coded('no-such-ceremony'));
    const admin = await as('bob', post('alice', `/${id}`, { seen: 0, pin: '0000' }));
    assert.equal(admin.body.error?.code, 'no-such-ceremony');
    assert.deepEqual([asked.pins, asked.cancelled], [[], false]);
    const own = await as('alice', post('alice', `/${id}`, { seen: 0 }));
    assert.equal(own.status, 200);
    asked.answer(made(asked));
    await until(() => rig.store.trail.length > 0, 60_000);
    assert.deepEqual(
      rig.store.trail.map(({ actor, account }) => [actor, account]),
      [[`uid:${uids.alice}`, 'alice']],
    );
  });

  test('its id is not valid for another account, and an unknown id is not valid at all', async () => {
    const view = await begun('alice');
    const asked = await rig.keys.makes();
    await assert.rejects(client.nextStep('bob', view, '1234'), coded('no-such-ceremony'));
    await assert.rejects(client.cancelCeremony('bob', view.id), coded('no-such-ceremony'));
    for (const id of ['', 'x', '__proto__', '0'.repeat(32)])
      await assert.rejects(client.nextStep('alice', { ...view, id }), ControlError);
    asked.answer(made(asked));
    assert.equal((await ended(view)).kind, 'done');
    assert.deepEqual([(await factorsOf('alice')).length, (await factorsOf('bob')).length], [1, 0]);
  });
});

describe('a legacy key', () => {
  const signed = (key: ReturnType<typeof legacyKey>, hash: Buffer, party = key.record.appId): Asserted => {
    const { id } = key.credential;
    return {
      kind: 'asserted',
      credentialId: id,
      ...getAssertion(key.credential, { rpId: party, clientDataHash: hash }),
    };
  };

  test('is added by a touch that signs the expected data', async () => {
    const key = legacyKey('pam://host');
    await rig.store.put('alice', { factors: [paper] });
    const view = await begun('alice', { ...legacyBody(key), name: 'old' });
    const asked = await rig.keys.asks();
    assert.deepEqual(asked.request.groups, [{ rpId: 'pam://host', credentialIds: [key.credential.id] }]);
    asked.answer(signed(key, asked.request.clientDataHash));
    const step = await ended(view);
    assert.ok(step.kind === 'done');
    const factor = (await factorsOf())[1];
    assert.ok(factor?.kind === 'u2f');
    assert.deepEqual(
      [factor.name, factor.appId, factor.counter, factor.spent.length],
      ['old', 'pam://host', 1, 1],
    );
    assert.equal(rig.store.trail.at(-1)?.reason, 'verified');
  });

  test('is rejected if another key signed, for another party, or for another challenge', async () => {
    const key = legacyKey('pam://host');
    const thief = { ...legacyKey('pam://host'), record: key.record };
    const answers: ((hash: Buffer) => Asserted)[] = [
      (hash) => ({ ...signed(thief, hash), credentialId: key.credential.id }),
      (hash) => signed(key, hash, 'pam://other'),
      () => signed(key, Buffer.alloc(32)),
      (hash) => ({ ...signed(key, hash), credentialId: Buffer.from('another') }),
    ];
    for (const [index, answer] of answers.entries()) {
      const view = await begun('alice', legacyBody(key));
      const asked = await rig.keys.asks(index + 1);
      asked.answer(answer(asked.request.clientDataHash));
      const step = await ended(view);
      assert.deepEqual(step.kind === 'failed' && step.code, 'wrong-code', String(index));
    }
    assert.deepEqual(await factorsOf(), []);
  });

  test('without a touch is only for root', async () => {
    const key = legacyKey('pam://host');
    const { kind: _, ...rest } = legacyBody(key);
    const body = { kind: 'u2f', ...rest, verify: false } as const;
    await restart({
      tokens: {
        holder: async () => ({ uid: uids.alice, admin: false, root: false, portal: false, fresh: true }),
      },
    });
    const [denied] = await callAs(uids.alice, rig.socket, [
      {
        method: 'POST',
        path: '/v1/users/alice/factors',
        body: JSON.stringify(body),
        headers: { authorization: 'Bearer t' },
      },
    ]);
    assert.equal(denied?.body.error?.code, 'not-permitted');
    assert.deepEqual(await factorsOf(), []);
    const added = await client.addFactor('alice', body);
    assert.equal(added.factor.kind, 'u2f');
    assert.equal(rig.store.trail.at(-1)?.reason, 'unverified');
    assert.deepEqual(rig.keys.asserted, []);
    const proven = {
      method: 'POST',
      path: '/v1/users/alice/factors',
      body: JSON.stringify({ ...body, verify: true }),
    };
    assert.equal((await call(rig.socket, proven)).body.error?.code, 'bad-request');
  });
});

describe('how it ends', () => {
  test('cancelled, the key is released, and nothing is stored', async () => {
    const view = await begun();
    const asked = await rig.keys.makes();
    await client.cancelCeremony('alice', view.id);
    assert.equal(asked.cancelled, true);
    asked.answer(made(asked));
    await assert.rejects(client.nextStep('alice', view), coded('no-such-ceremony'));
    assert.deepEqual(await factorsOf(), []);
  });

  test('when the client stops polling', async () => {
    await restart({ limits: { ceremonyIdle: 150, ceremonyPoll: 50 } });
    const view = await begun();
    const asked = await rig.keys.makes();
    for (let poll = 0; poll < 5; poll += 1) await client.nextStep('alice', view);
    assert.equal(asked.cancelled, false, 'while somebody asks it goes on');
    await until(() => asked.cancelled, 60_000);
    await assert.rejects(client.nextStep('alice', view), coded('no-such-ceremony'));
  });

  test('when the daemon stops', async () => {
    await begun();
    const asked = await rig.keys.makes();
    await rig.server.close();
    assert.equal(asked.cancelled, true);
  });
});
