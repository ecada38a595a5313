import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { createClient } from '../../../daemon/client/client.ts';
import { limits } from '../../../daemon/limits.ts';
import { totp, wrongTotp } from '../../support/codes.ts';
import { type ControlRig, startControl } from '../../support/control-rig.ts';
import { held } from '../../support/held.ts';
import {
  asked,
  assertSilent,
  callers,
  done,
  outcomeOf,
  realms,
  refusalOf,
  trailOf,
  withPassword,
} from '../../support/sign-ins.ts';
import { softKey } from '../../support/soft-keys.ts';
import { until } from '../../support/until.ts';
import { recoveryFactor, recoveryKeys, wrongKey } from '../../support/verifier-rig.ts';
import { phone, seed } from '../control/records.ts';

/** The second factor of a sign-in: by the realm's policy, counted as in a login. */

let rig: ControlRig;
beforeEach(async () => {
  rig = await startControl({ config: realms });
  await rig.store.put('alice', { factors: [phone, recoveryFactor()] });
});
afterEach(() => rig.close());

const begin = async (source?: string) =>
  asked(await rig.signIns.begin(callers.portal, withPassword('alice', undefined, source)));
const answer = (id: string, text: string, caller = callers.portal) =>
  rig.signIns.answer(caller, id, { kind: 'typed', answer: text });
const lock = async () => (await rig.store.get('alice'))?.lock;

describe('a typed factor', () => {
  it('is asked for if the account has it, and leads to a token', async () => {
    const { id, typed, key } = await begin('10.0.0.1');
    assert.deepEqual([typed, key], ['Verification code or recovery key', undefined]);
    const code = totp(seed);
    const { person, token } = done(await answer(id, code));
    assert.equal(person.account, 'alice');
    assert.equal((await rig.tokens.holder(token.token))?.onlyOwn, undefined);
    assert.deepEqual(trailOf(rig), ['login success verified']);
    const [event] = rig.store.trail;
    assert.deepEqual(
      [event?.service, event?.source, event?.firstFactorVerified],
      ['sallyport-portal', '10.0.0.1', true],
    );
    assertSilent(rig, code, token.token, id, 'password of alice');
  });

  it('is used: neither accepted again here, nor in a login', async () => {
    const code = totp(seed);
    done(await answer((await begin()).id, code));
    const { id } = await begin();
    const step = asked(await answer(id, code));
    assert.match(step.text ?? '', /already used/);
    assert.deepEqual(trailOf(rig), ['login success verified', 'login refused replay']);
    assert.deepEqual(await lock(), { codes: 0, any: 0 }, 'a replay guesses nothing');
  });

  it('is not used up once the request has ended, while records are still read', async () => {
    const client = createClient({ socket: rig.socket });
    const right = { user: 'alice', by: 'password', password: 'password of alice' } as const;
    const { id } = await client.beginSignIn(right);
    const read = rig.store.account.bind(rig.store);
    const { promise, release } = held();
    let reads = 0;
    rig.store.account = async (name) => {
      reads += 1;
      await promise;
      return read(name);
    };
    const ending = new AbortController();
    const code = totp(seed);
    const answered = client.answerSignIn(id, { kind: 'typed', answer: code }, ending.signal);
    await until(() => reads > 0, 60_000);
    ending.abort();
    await assert.rejects(answered, { code: 'daemon-unreachable' });
    await until(() => rig.server.connections() === 0, 60_000);
    release();
    await until(() => rig.store.trail.length > 0, 60_000);
    assert.deepEqual(trailOf(rig), ['login abandoned disconnected']);
    done(await answer((await begin()).id, code));
  });

  it('that is wrong counts for the account, is asked for again, and names the accepted factors', async () => {
    const { id } = await begin();
    const step = asked(await answer(id, wrongTotp(seed)));
    assert.deepEqual([step.id, step.typed], [id, 'Verification code or recovery key']);
    assert.deepEqual(await lock(), { codes: 1, any: 1 });
    assert.equal((await answer(id, totp(seed))).step.kind, 'done');
    assert.deepEqual(await lock(), { codes: 0, any: 0 });
  });

  it('wrong three times ends it, with an event each, and the answer is delayed', async () => {
    const { id } = await begin();
    for (const times of [1, 2]) asked(await answer(id, wrongKey.replaceAll('g', String(times + 1))));
    const began = performance.now();
    assert.match(await refusalOf(answer(id, wrongKey)), /^sign-in-refused/);
    assert.ok(performance.now() - began > 900);
    assert.equal(await outcomeOf(answer(id, totp(seed))), 'no-such-sign-in');
    assert.deepEqual(
      trailOf(rig),
      Array.from({ length: 3 }, () => 'login refused wrong'),
    );
    assert.equal((await lock())?.any, 3);
  });

  it('is accepted three times at most, also concurrently', async () => {
    const { id } = await begin();
    const wrong = Array.from({ length: 10 }, (_, n) =>
      outcomeOf(answer(id, `${wrongKey.slice(0, -1)}${(n % 8) + 2}`)),
    );
    const outcomes = await Promise.all(wrong);
    assert.equal(outcomes.filter((outcome) => outcome === 'no-such-sign-in').length, 7);
    assert.equal((await lock())?.any, 3);
  });

  it('locks as in a login, and locked kinds are not asked for', async () => {
    await rig.store.put('alice', { lock: { codes: 3, any: 9 } });
    const { id } = await begin();
    assert.match(await refusalOf(answer(id, wrongTotp(seed))), /locked/);
    assert.equal(await outcomeOf(answer(id, totp(seed))), 'no-such-sign-in');
    assert.equal(
      await outcomeOf(rig.signIns.begin(callers.portal, withPassword('alice'))),
      'sign-in-refused',
    );
    assert.deepEqual(trailOf(rig), ['login refused wrong', 'login refused locked']);
  });

  it('of unknown format is asked for again, up to the usual number, and counts as no failure', async () => {
    const { id } = await begin();
    for (const slip of ['password of alice', '']) {
      const { step } = await answer(id, slip);
      assert.ok(step.kind === 'factor' && step.text !== undefined);
    }
    assert.match(await refusalOf(answer(id, 'password of alice')), /^sign-in-refused/);
    assert.deepEqual(await lock(), { codes: 0, any: 0 });
    assertSilent(rig, 'password of alice');
  });

  it('in the maximum number of concurrent sign-ins is accepted once', async () => {
    const all = await Promise.all(Array.from({ length: limits.signInsPerAccount }, () => begin()));
    const code = totp(seed);
    const outcomes = await Promise.all(all.map(({ id }) => outcomeOf(answer(id, code))));
    assert.equal(outcomes.filter((outcome) => outcome === 'done').length, 1);
  });

  it('is verified against fresh records: a factor removed meanwhile is refused', async () => {
    const { id } = await begin();
    await rig.store.put('alice', { factors: [{ ...phone, enabled: false }] });
    assert.match(await refusalOf(answer(id, totp(seed))), /^sign-in-refused/);
    assert.equal(trailOf(rig).at(-1), 'login refused all-disabled');
  });

  it('with a store that cannot be written gives no token', async () => {
    const { id } = await begin();
    rig.store.breakWrites('disk full');
    assert.equal(await outcomeOf(answer(id, totp(seed))), 'store-unwritable');
  });
});

describe('a pending sign-in', () => {
  it('belongs to its client: another uid does not find it', async () => {
    const { id } = await begin();
    for (const caller of [callers.alice, callers.bob, callers.root])
      assert.equal(await outcomeOf(answer(id, totp(seed), caller)), 'no-such-sign-in');
    assert.equal((await answer(id, totp(seed))).step.kind, 'done');
  });

  it('is answered once: a successful one has ended', async () => {
    const { id } = await begin();
    done(await answer(id, totp(seed)));
    assert.equal(await outcomeOf(answer(id, recoveryKeys[0] ?? '')), 'no-such-sign-in');
  });

  it('ends after its time, with one event', async () => {
    const due: (() => void)[] = [];
    const real = globalThis.setTimeout;
    const mocked = mock.method(globalThis, 'setTimeout', (run: () => void, ms?: number) => {
      if (ms === limits.signInDeadline) due.push(run);
      return real(run, ms);
    });
    const { id } = await begin();
    mocked.mock.restore();
    assert.equal(due.length, 1);
    due[0]?.();
    assert.equal(await outcomeOf(answer(id, totp(seed))), 'no-such-sign-in');
    await until(() => rig.store.trail.length > 0, 60_000);
    assert.deepEqual(trailOf(rig), ['login abandoned timed-out']);
  });

  it('is displaced by newer ones of its account; those of others stay', async () => {
    await rig.store.put('carol', { factors: [{ ...phone, id: 'dddd' }] });
    const other = asked(await rig.signIns.begin(callers.carol, withPassword('carol')));
    const all: string[] = [];
    for (let times = 0; times <= limits.signInsPerAccount; times += 1) all.push((await begin()).id);
    assert.equal(await outcomeOf(answer(all[0] ?? '', totp(seed))), 'no-such-sign-in');
    await until(() => rig.store.trail.length > 0, 60_000);
    assert.deepEqual(trailOf(rig), ['login abandoned cancelled']);
    assert.equal((await answer(all[1] ?? '', totp(seed))).step.kind, 'done');
    assert.equal((await answer(other.id, totp(seed), callers.carol)).step.kind, 'done');
  });

  it('creates no approval, wherever it was begun: no login would wait for it', async () => {
    await rig.store.put('alice', { factors: [phone, softKey().record] });
    await begin();
    await rig.signIns.begin(callers.alice, withPassword('alice'));
    rig.passwords.without.add('alice');
    await rig.signIns.begin(callers.alice, { user: 'alice', by: 'uid' });
    assert.deepEqual(rig.approvals.pendingOf('alice'), []);
  });
});

describe('rules of the realm', () => {
  const rule = (action: string) => `
[[realm]]
name = "everyone"
require = ["totp"]
  [[realm.rule]]
  action = ${action}
`;
  for (const action of ['"skip"', '{ remember = "15m" }'])
    it(`${action} never exempts a sign-in`, async () => {
      rig.setConfig(rule(action));
      await createClient({ socket: rig.socket }).reload();
      done(await answer((await begin('10.0.0.1')).id, totp(seed)));
      assert.equal((await begin('10.0.0.1')).kind, 'factor');
      assert.deepEqual((await rig.store.get('alice'))?.grants, []);
    });

  it('"refuse" applies to the address that the portal reports, and to unknown ones', async () => {
    rig.setConfig(rule('"refuse"\n  from = ["10.0.0.66"]'));
    await createClient({ socket: rig.socket }).reload();
    const from = (source?: string) =>
      outcomeOf(rig.signIns.begin(callers.portal, withPassword('alice', undefined, source)));
    assert.equal(await from('10.0.0.66'), 'sign-in-refused');
    assert.equal(await from('::ffff:10.0.0.66'), 'sign-in-refused');
    assert.equal(await from(), 'sign-in-refused');
    assert.equal(await from('10.0.0.67'), 'factor');
    assert.deepEqual(new Set(trailOf(rig)), new Set(['login refused rule-refuse']));
    assert.equal(trailOf(rig).length, 3);
  });
});
