import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { createKeyRequests } from '../../../daemon/authenticators/key-requests.ts';
import type { CreationOptions } from '../../../daemon/authenticators/registrations.ts';
import { type Ceremonies, createCeremonies } from '../../../daemon/ceremonies/ceremonies.ts';
import { systemRandomness } from '../../../daemon/lib/randomness.ts';
import { limits } from '../../../daemon/limits.ts';
import type { EnrolRequest, EnrolResult, Verifier } from '../../../daemon/verifier/contract.ts';
import { makeCredential } from '../../support/authenticator/credential.ts';
import { FakeKeys } from '../../support/fake-keys.ts';
import { hostWith } from '../../support/host.ts';
import { rpId } from '../../support/soft-keys.ts';

/** The number of concurrent enrolments, and what happens to those that another one ends. */

const wanted = (account: string): CreationOptions => ({
  account,
  rp: { rpId, rpName: rpId },
  userId: Buffer.alloc(32),
  exclude: [],
  algorithms: ['es256'],
  residentKey: false,
  userVerification: 'discouraged',
  attested: false,
});

let keys: FakeKeys;
let ceremonies: Ceremonies;
let enrolled: EnrolRequest[];
/** How long it takes until the request to the key is known. */
let ready: () => Promise<void>;

beforeEach(() => {
  keys = new FakeKeys();
  enrolled = [];
  ready = async () => undefined;
  const verifier: Pick<Verifier, 'enrol' | 'creationOptions' | 'touchRequest'> = {
    async creationOptions(user) {
      await ready();
      return wanted(user);
    },
    touchRequest: () => Promise.reject(new Error('not here')),
    async enrol(request): Promise<EnrolResult> {
      enrolled.push(request);
      const factor = {
        id: 'w1',
        kind: 'webauthn',
        name: 'n',
        created: 0,
        enabled: true,
        detail: '',
      } as const;
      return { account: request.user, factor, replaced: [] };
    },
  };
  ceremonies = createCeremonies({
    verifier,
    keyRequests: createKeyRequests(systemRandomness),
    host: hostWith({ securityKeys: keys }),
    randomness: systemRandomness,
  });
});
afterEach(() => ceremonies.close());

const begin = (account: string) => ceremonies.begin('uid:0', account, { kind: 'webauthn' });
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: { code?: string }) => error.code,
  );
const blinking = () => keys.made.filter(({ cancelled }) => !cancelled).length;

describe('concurrently', () => {
  test('there are as many as the limit, and one more when one has ended', async () => {
    const views = [];
    for (let number = 0; number < limits.ceremonies; number += 1) views.push(await begin(`user${number}`));
    assert.equal(new Set(views.map(({ id }) => id)).size, limits.ceremonies);
    assert.equal(await code(begin('one more')), 'too-many-ceremonies');
    assert.equal(blinking(), limits.ceremonies);
    await begin('user0');
    assert.equal(blinking(), limits.ceremonies, 'the older one of the account made room');
    ceremonies.cancel('uid:0', 'user1', views[1]?.id ?? '');
    await begin('one more');
    assert.equal(await code(begin('another')), 'too-many-ceremonies');
  });

  test('there is one for an account, though many begin at once', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    ready = () => held;
    const begins = Array.from({ length: 40 }, () => code(begin('alice')));
    await new Promise((resolve) => setImmediate(resolve));
    release();
    const outcomes = await Promise.all(begins);
    assert.deepEqual(outcomes, [...Array.from({ length: 39 }, () => 'no-such-ceremony'), 'done']);
    assert.deepEqual([keys.made.length, blinking()], [1, 1]);
  });
});

describe('an enrolment that was ended', () => {
  test('by a newer one of the account releases its key, and adds nothing', async () => {
    const first = await begin('alice');
    await begin('alice');
    assert.deepEqual(
      keys.made.map(({ cancelled }) => cancelled),
      [true, false],
    );
    const step = { seen: 0 };
    assert.equal(await code(ceremonies.next('uid:0', 'alice', first.id, step)), 'no-such-ceremony');
    assert.deepEqual(enrolled, []);
  });

  test('before the request to the key never makes it', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    ready = () => held;
    const begins = code(begin('alice'));
    await new Promise((resolve) => setImmediate(resolve));
    ceremonies.close();
    release();
    assert.equal(await begins, 'no-such-ceremony');
    assert.deepEqual(keys.made, []);
  });

  test('at the moment in which the key answers adds nothing', async () => {
    const { id } = await begin('alice');
    const [asked] = keys.made;
    assert.ok(asked !== undefined);
    const { clientDataHash } = asked.request;
    asked.answer({ kind: 'made', ...makeCredential({ rpId, clientDataHash }) });
    ceremonies.cancel('uid:0', 'alice', id);
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(enrolled, []);
  });

  test('reports it to the client that waits for its next step', async () => {
    const { id, step } = await begin('alice');
    const waiting = ceremonies.next('uid:0', 'alice', id, { seen: step.number });
    await new Promise((resolve) => setImmediate(resolve));
    ceremonies.cancel('uid:0', 'alice', id);
    const { step: last } = await waiting;
    assert.deepEqual([last.kind, last.kind === 'failed' && last.code], ['failed', 'key-unavailable']);
  });
});

describe('a PIN', () => {
  test('is wiped, whether it was needed or not, and whether such an enrolment exists or not', async () => {
    const { id } = await begin('alice');
    keys.made[0]?.watch({ kind: 'touch' });
    const pins = [Buffer.from('1234'), Buffer.from('5678'), Buffer.from('9999')] as const;
    await ceremonies.next('uid:0', 'alice', id, { seen: 0, pin: pins[0] });
    assert.equal(
      await code(ceremonies.next('uid:0', 'bob', id, { seen: 0, pin: pins[1] })),
      'no-such-ceremony',
    );
    assert.equal(
      await code(ceremonies.next('uid:7', 'alice', id, { seen: 0, pin: pins[2] })),
      'no-such-ceremony',
    );
    for (const pin of pins) assert.ok(pin.every((byte) => byte === 0));
    assert.deepEqual(keys.made[0]?.pins, ['1234']);
  });
});
