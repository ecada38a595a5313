import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { AssertionOptions, SignInAnswerBody } from '../../../daemon/api/sign-in-views.ts';
import { totp } from '../../support/codes.ts';
import { type ControlRig, startControl } from '../../support/control-rig.ts';
import {
  asked,
  callers,
  done,
  origin,
  outcomeOf,
  realms,
  refusalOf,
  trailOf,
  withPassword,
} from '../../support/sign-ins.ts';
import { type Asked, assertionBy, legacyKey, type SoftKey, softKey } from '../../support/soft-keys.ts';
import { phone, seed } from '../control/records.ts';

/** A security key that answers on the page that asks, with real signatures. */

let rig: ControlRig;
let key: SoftKey;
beforeEach(async () => {
  rig = await startControl({ config: realms });
  key = softKey();
  await rig.store.put('alice', { factors: [phone, key.record] });
});
afterEach(() => rig.close());

const begin = async (user = 'alice') => {
  const step = asked(await rig.signIns.begin(callers.portal, withPassword(user)));
  assert.ok(step.key !== undefined);
  return { id: step.id, key: step.key };
};
function signed(
  by: Parameters<typeof assertionBy>[0],
  { challenge }: AssertionOptions,
  changes: Asked = {},
): SignInAnswerBody {
  const made = assertionBy(by, { challenge, origin, ...changes });
  const text = (bytes: Buffer) => bytes.toString('base64url');
  return {
    kind: 'assertion',
    credentialId: made.credentialId,
    clientDataJSON: text(made.clientDataJSON),
    authenticatorData: text(made.authenticatorData),
    signature: text(made.signature),
  };
}
const answer = (id: string, body: SignInAnswerBody) => rig.signIns.answer(callers.portal, id, body);

describe('a security key', () => {
  it("gets the request in the browser's format, with a challenge only for this sign-in", async () => {
    const [one, two] = [await begin(), await begin()];
    const { challenge, ...rest } = one.key;
    assert.equal(Buffer.from(challenge, 'base64url').length, 32);
    assert.notEqual(challenge, two.key.challenge);
    assert.deepEqual(rest, {
      rpId: 'login.example.org',
      allowCredentials: [{ id: key.record.credentialId, transports: [] }],
      userVerification: 'discouraged',
      timeout: 90_000,
    });
  });

  for (const algorithm of ['es256', 'eddsa', 'rs256'] as const)
    it(`that signs with ${algorithm} is accepted`, async () => {
      key = softKey({}, algorithm);
      await rig.store.put('alice', { factors: [key.record] });
      const { id, key: question } = await begin();
      assert.equal(done(await answer(id, signed(key, question))).person.account, 'alice');
      assert.deepEqual(trailOf(rig), ['login success verified']);
      assert.equal(rig.store.trail[0]?.factor?.id, 'w1');
    });

  it('created for an AppID is requested by the extension, and accepted', async () => {
    const old = legacyKey(origin);
    await rig.store.put('alice', { factors: [old.record] });
    const { id, key: question } = await begin();
    assert.equal(question.appid, origin);
    assert.equal((await answer(id, signed(old, question))).step.kind, 'done');
  });

  const wrong: readonly (readonly [string, Asked])[] = [
    ['a signature over something else', { wrongSignature: true }],
    ['the challenge of something else', { challenge: Buffer.alloc(32, 7).toString('base64url') }],
    ['a foreign origin', { origin: 'https://login.example.org.evil.example' }],
    ['another port of ours', { origin: `${origin}:8443` }],
    ['plain http', { origin: 'http://login.example.org' }],
    ['the origin of a key at this machine', { origin: 'pam://login.example.org' }],
    ['nobody there', { up: false }],
    ['the making of a key', { type: 'webauthn.create' }],
    ['another relying party', { rpId: 'evil.example' }],
  ];
  for (const [what, changes] of wrong)
    it(`with ${what} is refused, counts, and may be retried`, async () => {
      const { id, key: question } = await begin();
      const step = asked(await answer(id, signed(key, question, changes)));
      assert.equal(step.key?.challenge, question.challenge);
      assert.deepEqual((await rig.store.get('alice'))?.lock, { codes: 0, any: 1 });
      assert.deepEqual(trailOf(rig), ['login refused wrong']);
      assert.equal((await answer(id, signed(key, question))).step.kind, 'done');
    });

  it('of another account is refused', async () => {
    const bobs = softKey({ id: 'w2' });
    await rig.store.put('carol', { factors: [bobs.record] });
    const { id, key: question } = await begin();
    assert.equal(await outcomeOf(answer(id, signed(bobs, question))), 'sign-in-refused');
    assert.notEqual(rig.store.trail.at(-1)?.outcome, 'success');
  });

  it('with another key’s id on its own signature is refused', async () => {
    const other = softKey({ id: 'w2' });
    const { id, key: question } = await begin();
    const body = signed(other, question);
    const outcome = await outcomeOf(
      answer(id, { ...body, credentialId: key.record.credentialId } as SignInAnswerBody),
    );
    assert.equal(outcome, 'factor');
    assert.deepEqual(trailOf(rig), ['login refused wrong']);
  });

  it('answers only the sign-in that sent the challenge', async () => {
    const [one, two] = [await begin(), await begin()];
    const body = signed(key, one.key);
    assert.equal(await outcomeOf(answer(two.id, body)), 'factor');
    assert.equal(await outcomeOf(answer(one.id, body)), 'done');
    assert.equal(await outcomeOf(answer(one.id, body)), 'no-such-sign-in');
  });

  it('whose counter goes backwards is refused: it may have been cloned', async () => {
    await rig.store.put('alice', { factors: [{ ...key.record, counter: 9 }] });
    const { id, key: question } = await begin();
    assert.match((await refusalOrText(answer(id, signed(key, question)))) ?? '', /backwards/);
  });

  it('works beside a code in the same sign-in', async () => {
    const { id, key: question } = await begin();
    asked(await answer(id, signed(key, question, { wrongSignature: true })));
    assert.equal((await answer(id, { kind: 'typed', answer: totp(seed) })).step.kind, 'done');
  });
});

async function refusalOrText(view: ReturnType<typeof answer>): Promise<string | undefined> {
  const settled = await view.then(
    ({ step }) => (step.kind === 'factor' ? step.text : undefined),
    () => undefined,
  );
  return settled ?? refusalOf(view);
}
