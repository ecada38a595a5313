import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { base32 } from '../../support/codes.ts';
import {
  answer,
  answered,
  codeNow,
  eventsOf,
  hotpFactor,
  makeRig,
  opened,
  press,
  put,
  type Rig,
  recoveryFactor,
  recoveryKeys,
  seeds,
  totpFactor,
  wrongCode,
  wrongKey,
} from '../../support/verifier-rig.ts';
import { day, facts, hour, members, realm, remember, rule } from '../policy/support.ts';

const key = recoveryKeys[0] ?? '';

/** Each decision has one event, committed with the change that it describes. */
async function theEvent(rig: Rig, decide: () => Promise<unknown>): Promise<Record<string, unknown>> {
  const before = rig.store.commits.length;
  await decide();
  const made = rig.store.commits.slice(before);
  assert.equal(made.length, 1, 'one commit');
  const [commit] = made;
  assert.equal(commit?.events.length, 1, 'with one event');
  return { ...commit?.events[0] };
}

describe('every decision leaves one event, in the commit of its change', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = makeRig(realm({ lockout: { codes: 3, any: 50, forMs: hour } }));
    await put(rig, { factors: [totpFactor(), hotpFactor(), recoveryFactor()] });
  });
  const where = {
    account: 'alice',
    service: 'sshd',
    source: '203.0.113.5',
    tty: 'ssh',
    firstFactorVerified: true,
  };

  it('a factor that was verified', async () => {
    const event = await theEvent(rig, () => answer(rig, {}, codeNow(rig)));
    assert.deepEqual(event, {
      kind: 'login',
      outcome: 'success',
      reason: 'verified',
      at: rig.clock.at,
      realm: 'everybody',
      factor: { id: 't1', kind: 'totp', name: 'phone' },
      ...where,
    });
    const [commit] = rig.store.commits.slice(-1);
    assert.equal(commit?.accounts.length, 1);
    assert.ok(commit?.accounts[0]?.write, 'and its mark stands in the same commit');
  });

  for (const [what, text, reason] of [
    ['a wrong code', (): string => wrongCode(rig), 'wrong'],
    ['a wrong recovery key', (): string => wrongKey, 'wrong'],
    ['an answer without a shape', (): string => 'hunter2', 'unknown-format'],
  ] as const) {
    for (const proven of [true, false]) {
      if (!proven && reason === 'unknown-format') continue;
      it(`${what}, ${proven ? 'verified' : 'unverified'} first factor`, async () => {
        const event = await theEvent(rig, () => answer(rig, { firstFactorVerified: proven }, text()));
        assert.deepEqual(
          [event.kind, event.outcome, event.reason, event.account, event.firstFactorVerified],
          ['login', 'refused', reason, 'alice', proven],
        );
      });
    }
  }

  it('a replay', async () => {
    await answer(rig, {}, codeNow(rig));
    const event = await theEvent(rig, () => answer(rig, {}, codeNow(rig)));
    assert.deepEqual([event.outcome, event.reason], ['refused', 'replay']);
  });

  it('a code while codes are locked', async () => {
    await put(rig, { lock: { codes: 3, any: 3, codesLockedAt: rig.clock.at } });
    const event = await theEvent(rig, () => answer(rig, {}, codeNow(rig)));
    assert.deepEqual([event.outcome, event.reason], ['refused', 'codes-locked']);
  });

  it('every decision without an answer', async () => {
    const staff = members({ groups: ['staff'] });
    rig.accounts.add('alice', 1000, { staff: 'unresolved' });
    const free = async (): Promise<unknown> => put(rig, { factors: [], lock: { codes: 0, any: 0 } });
    const cases: [string, string, Parameters<typeof realm>[0], () => Promise<unknown>][] = [
      ['not-needed', 'no-factor', { require: 'none' }, free],
      ['not-needed', 'rule-skip', { rules: [rule({ kind: 'skip' })] }, free],
      ['not-needed', 'grace', { enrol: 'grace', graceMs: day }, free],
      ['refused', 'no-factor', {}, free],
      ['refused', 'rule-refuse', { rules: [rule({ kind: 'refuse' })] }, free],
      ['refused', 'all-disabled', {}, () => put(rig, { factors: [totpFactor({ enabled: false })] })],
      [
        'refused',
        'no-accepted-factor',
        { require: ['yubikey'] },
        () => put(rig, { factors: [totpFactor()] }),
      ],
      [
        'refused',
        'locked',
        {},
        () => put(rig, { factors: [totpFactor()], lock: { codes: 0, any: 50, lockedAt: rig.clock.at } }),
      ],
      ['refused', 'groups-unresolved', { members: staff }, free],
    ];
    for (const [outcome, reason, part, prepare] of cases) {
      rig.setRealms(realm(part), realm({ name: 'rest' }));
      await prepare();
      const event = await theEvent(rig, () => rig.verifier.open(facts()));
      assert.deepEqual([event.outcome, event.reason, event.realm], [outcome, reason, 'everybody']);
    }
  });

  it('a login with a grant', async () => {
    rig.setRealms(realm({ rules: [rule(remember)] }));
    await answer(rig, {}, codeNow(rig));
    const event = await theEvent(rig, () => rig.verifier.open(facts()));
    assert.deepEqual([event.outcome, event.reason], ['not-needed', 'remembered']);
  });

  it('an abandoned login with a verified first factor, and none without', async () => {
    const login = await opened(rig);
    for (const reason of ['cancelled', 'timed-out', 'disconnected'] as const) {
      const event = await theEvent(rig, () => rig.verifier.abandon(login, reason));
      assert.deepEqual([event.outcome, event.reason, event.account], ['abandoned', reason, 'alice']);
    }
    const before = rig.store.commits.length;
    await rig.verifier.abandon(await opened(rig, { firstFactorVerified: false }), 'cancelled');
    assert.equal(rig.store.commits.length, before);
  });

  it('an attempt at another account on the user socket', async () => {
    const given = { firstFactorVerified: false, rootSocket: false, peerUid: 1001 };
    const event = await theEvent(rig, () => answer(rig, given, codeNow(rig)));
    assert.deepEqual([event.outcome, event.reason, event.account], ['refused', 'other-account', 'alice']);
  });

  it('an enrolment and a verify, with who did it', async () => {
    const enrolled = await theEvent(rig, () =>
      rig.verifier.enrol({ actor: 'uid:0', user: 'alice', verify: false, kind: 'recovery' }),
    );
    assert.deepEqual(
      [enrolled.kind, enrolled.outcome, enrolled.actor, enrolled.account],
      ['factor-added', 'done', 'uid:0', 'alice'],
    );
    for (const [text, outcome] of [
      [press(0), 'success'],
      [press(0), 'refused'],
      ['hunter2', 'refused'],
    ] as const) {
      const event = await theEvent(rig, () =>
        rig.verifier.verify({ actor: 'uid:0', user: 'alice', answer: Buffer.from(text) }),
      );
      assert.deepEqual([event.kind, event.outcome, event.actor], ['verify', outcome, 'uid:0']);
    }
  });

  it('a prompt is not a decision', async () => {
    const before = rig.store.commits.length;
    await opened(rig);
    assert.equal(rig.store.commits.length, before);
  });

  it('a login with a verified first factor of a name that is not an account is not stored', async () => {
    const before = rig.store.commits.length;
    const opening = await rig.verifier.open(facts({ user: 'nobody' }));
    assert.ok(opening.kind === 'done' && opening.result === 'auth-err' && opening.text === undefined);
    assert.equal(rig.store.commits.length, before);
    assert.equal(rig.unknownNames.length, 1);
  });
});

describe('the events', () => {
  it('contain no answer, seed, key or hash, nor does the log', async () => {
    const rig = makeRig(realm({ lockout: { codes: 100, any: 100, forMs: hour } }));
    await put(rig, { factors: [totpFactor(), hotpFactor(), recoveryFactor()] });
    const passwords = ['correct-horse-battery', 'pässwort'];
    const typed = [
      wrongCode(rig),
      codeNow(rig),
      press(0),
      press(700),
      press(701),
      key,
      wrongKey,
      ...passwords,
    ];
    for (const proven of [true, false])
      for (const mode of ['prompt', 'password-and-code'] as const)
        for (const text of typed)
          for (const front of mode === 'prompt' ? [''] : passwords)
            await answer(rig, { firstFactorVerified: proven, mode }, front + text);
    const made = await rig.verifier.enrol({ actor: 'uid:0', user: 'alice', verify: false, kind: 'recovery' });
    const secret = Buffer.from('a-new-seed-for-alice');
    const code = Buffer.from('123456');
    await assert.rejects(
      rig.verifier.enrol({
        actor: 'uid:0',
        user: 'alice',
        verify: true,
        kind: 'totp',
        secret,
        code,
        digits: 6,
        period: 30,
        algorithm: 'sha1',
      }),
    );
    rig.store.breakWrites('full');
    await assert.rejects(answered(rig, await opened(rig), press(702)));
    rig.store.damage('alice');
    await answer(rig, { firstFactorVerified: false }, press(703));

    const reported = JSON.stringify([await eventsOf(rig), rig.logged, rig.rateLimited]);
    assert.ok(reported.length > 5_000);
    const secrets = [...typed, ...(made.recoveryKeys ?? []), press(702), press(703), 'a-new-seed-for-alice'];
    const seedForms = Object.values(seeds).flatMap((seed) => [
      seed.toString(),
      seed.toString('base64'),
      seed.toString('hex'),
      base32(seed),
    ]);
    const hashes = recoveryFactor().hashes.map(String);
    for (const text of [...secrets, ...seedForms, ...hashes, recoveryFactor().salt]) {
      assert.ok(!reported.includes(text), text);
      assert.ok(!reported.includes(text.replaceAll('-', '')), text);
    }
  });

  it('contain no control characters, whatever a login program claims', async () => {
    const rig = makeRig();
    await put(rig, { factors: [totpFactor()] });
    const nasty = 'evil\u001b[2J\u0007\n\r\u009b31mhost';
    const given = { rhost: nasty, tty: nasty, service: nasty };
    const { source: _, ...rest } = facts(given);
    for (const proven of [true, false]) {
      const opening = await rig.verifier.open({ ...rest, firstFactorVerified: proven });
      assert.ok(opening.kind === 'ask');
      await answered(rig, opening.login, wrongCode(rig));
    }
    const other = await rig.verifier.open({
      ...rest,
      firstFactorVerified: false,
      rootSocket: false,
      peerUid: 1001,
    });
    assert.ok(other.kind === 'ask');
    await answered(rig, other.login, wrongCode(rig));
    await rig.verifier.abandon(await opened(rig, given), 'cancelled');
    const texts = (await eventsOf(rig))
      .flatMap((event) => Object.values(event))
      .filter((value) => typeof value === 'string');
    assert.ok(
      texts.some((text) => text.includes('evil')),
      'it is still told',
    );
    for (const text of texts) assert.doesNotMatch(text, /\p{Cc}/u, JSON.stringify(text));
  });
});
