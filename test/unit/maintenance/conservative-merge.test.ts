import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HotpRecord } from '../../../daemon/factors/hotp.ts';
import type { FactorRecord } from '../../../daemon/factors/kinds.ts';
import type { RecoveryRecord } from '../../../daemon/factors/recovery.ts';
import type { TotpRecord } from '../../../daemon/factors/totp.ts';
import { heldUntil, totp } from '../../../daemon/factors/totp.ts';
import type { WebauthnRecord } from '../../../daemon/factors/webauthn.ts';
import type { CloudYubikey, LocalYubikey } from '../../../daemon/factors/yubikey.ts';
import {
  mergeConservatively,
  mergeYubikeyCounter,
  type Other,
} from '../../../daemon/maintenance/conservative-merge.ts';
import type { AccountRecord } from '../../../daemon/store/contract.ts';
import { totp as totpCode } from '../../support/codes.ts';
import { keyedHash } from '../../support/verifier-rig.ts';

/** What a restore does with a record of an older copy. */
const now = 1_700_000_010_000;
const at = { now, skew: 1 };
const seed = Buffer.from('12345678901234567890');
const base = { name: 'one', created: 1, enabled: true } as const;
const phone: TotpRecord = {
  ...base,
  id: 'totp',
  kind: 'totp',
  secret: seed.toString('base64'),
  digits: 6,
  period: 30,
  algorithm: 'sha1',
  lastStep: 5,
  drift: 0,
};
const fob: HotpRecord = {
  ...base,
  id: 'hotp',
  kind: 'hotp',
  secret: seed.toString('base64'),
  digits: 6,
  algorithm: 'sha1',
  counter: 3,
};
const local: LocalYubikey = {
  ...base,
  id: 'local',
  kind: 'yubikey',
  validation: 'local',
  publicId: 'vvcccccccclb',
  privateId: 'AAAAAAAA',
  secret: 'AAAAAAAAAAAAAAAAAAAAAA==',
  lastPress: 7,
  spent: ['a'],
};
const cloud: CloudYubikey = {
  ...base,
  id: 'cloud',
  kind: 'yubikey',
  validation: 'cloud',
  publicId: 'vvcccccccclb',
  spent: ['a'],
};
const security: WebauthnRecord = {
  ...base,
  id: 'key',
  kind: 'webauthn',
  rpId: 'login.example.org',
  aaguid: '00000000-0000-0000-0000-000000000000',
  attested: false,
  resident: false,
  transports: [],
  credentialId: 'AAAA',
  publicKey: 'AAAA',
  algorithm: 'es256',
  counter: 4,
  spent: ['a'],
};
const paper: RecoveryRecord = {
  ...base,
  id: 'paper',
  kind: 'recovery',
  keyId: 'k1',
  salt: 'AAAA',
  hashes: ['aaaa', 'bbbb', null],
};

const record = (factors: readonly FactorRecord[], more: Partial<AccountRecord> = {}): AccountRecord => ({
  account: 'alice',
  created: 1,
  factors,
  lock: { codes: 0, any: 0 },
  grants: [],
  ...more,
});
const unknown: Other = { kind: 'unknown' };
const newest = (factors: readonly FactorRecord[], more: Partial<AccountRecord> = {}): Other => ({
  kind: 'newest',
  record: record(factors, more),
});
const only = <R extends FactorRecord>(made: { readonly record: AccountRecord }): R =>
  made.record.factors[0] as R;
const notesOf = (made: ReturnType<typeof mergeConservatively>) => made.notes.map(({ note }) => note);

describe('TOTP', () => {
  test('no code that may be used is accepted, however far the device ran ahead; the next one is', () => {
    for (const [drift, other, ahead, later] of [
      [-3, newest([{ ...phone, drift: -3 }]), -2, 7],
      [0, newest([phone]), 1, 4],
      [0, newest([{ ...phone, drift: 2 }]), 3, 4],
      [0, unknown, 11, 13],
      [2, unknown, 11, 11],
    ] as const) {
      const made: TotpRecord = only(mergeConservatively(record([{ ...phone, drift }]), other, at));
      const verdict = (step: number, when: number): string =>
        totp.verify(
          made,
          { kind: 'code', text: totpCode(seed, { at: when, step }) },
          { now: when, skew: 1, keyedHash },
        ).outcome;
      // With the recorded and with the possible drift of the device: each at the moment when such a code is right.
      for (let step = -40; step <= ahead; step += 1)
        for (let when = 0; when <= 20; when += 1)
          assert.notEqual(verdict(step - when, now + when * 30_000), 'accepted', `${drift} ${step} ${when}`);
      assert.equal(verdict(made.drift, now + later * 30_000), 'accepted', `drift ${drift}`);
    }
  });

  test('reports the restore and when its restriction ends, and accepts at exactly that moment', () => {
    const made = mergeConservatively(
      record([
        { ...phone, drift: 2 },
        { ...phone, id: 'other', enabled: false },
      ]),
      unknown,
      at,
    );
    const [held] = made.record.factors as [TotpRecord];
    const until = made.heldUntil ?? 0;
    const answer = (step: number, when: number) =>
      totp.verify(
        held,
        { kind: 'code', text: totpCode(seed, { at: when, step }) },
        { now: when, skew: 1, keyedHash },
      );
    for (let when = now; when < until; when += 30_000) {
      const verdict = answer(held.drift, when);
      const restored = { outcome: 'refused', reason: 'restored', until, matches: true };
      assert.deepEqual(verdict, restored, String(until - when));
    }
    const verdict = answer(held.drift, until);
    assert.equal(verdict.outcome, 'accepted');
    assert.ok(
      verdict.outcome === 'accepted' &&
        verdict.record.kind === 'totp' &&
        verdict.record.heldStep === undefined,
    );
  });

  test('a wrong code counts as one as soon as a right one would be accepted', () => {
    const [held] = mergeConservatively(record([phone]), unknown, at).record.factors as [TotpRecord];
    const when = (heldUntil(held) ?? 0) + 60_000;
    const wrong = { kind: 'code', text: totpCode(seed, { at: when, step: 500 }) } as const;
    const verdict = totp.verify(held, wrong, { now: when, skew: 1, keyedHash });
    assert.deepEqual(verdict, { outcome: 'refused', reason: 'wrong' });
  });

  test('a last-used counter that was already in the future indicates the clock, and not a restore', () => {
    const far = Math.floor(now / 30_000) + 500;
    const code = { kind: 'code', text: totpCode(seed, { at: now, step: 0 }) } as const;
    for (const heldStep of [undefined, 7]) {
      const before = { ...phone, lastStep: far, ...(heldStep === undefined ? {} : { heldStep }) };
      const made = mergeConservatively(record([before]), unknown, at);
      assert.equal(made.heldUntil, undefined);
      const verdict = totp.verify(only<TotpRecord>(made), code, { now, skew: 1, keyedHash });
      assert.deepEqual(verdict, { outcome: 'refused', reason: 'clock' });
    }
  });

  test('a second restore restricts the codes of its own moment', () => {
    const first = only<TotpRecord>(mergeConservatively(record([phone]), unknown, at));
    const later = { ...at, now: now + 3_600_000 };
    const made = mergeConservatively(record([first]), unknown, later);
    const again = only<TotpRecord>(made);
    assert.equal(again.heldStep, again.lastStep);
    assert.ok((made.heldUntil ?? 0) > later.now);
  });

  test('a last-used counter in the future stays, whichever copy has it', () => {
    const far = 1e9;
    assert.equal(
      only<TotpRecord>(mergeConservatively(record([{ ...phone, lastStep: far }]), unknown, at)).lastStep,
      far,
    );
    const made = mergeConservatively(record([phone]), newest([{ ...phone, lastStep: far }]), at);
    assert.equal(only<TotpRecord>(made).lastStep, far);
  });
});

test('HOTP and local YubiKeys keep the higher counter, and need two consecutive codes', () => {
  for (const other of [
    unknown,
    newest([
      { ...fob, counter: 90 },
      { ...local, lastPress: 90, spent: ['b'] },
    ]),
  ]) {
    const made = mergeConservatively(record([fob, local]), other, at);
    const [token, key] = made.record.factors as [HotpRecord, LocalYubikey];
    assert.equal(token.counter, other === unknown ? 3 : 90);
    assert.equal(key.lastPress, other === unknown ? 7 : 90);
    assert.deepEqual([token.inDoubt, key.inDoubt], [true, true]);
    assert.deepEqual([...key.spent].sort(), other === unknown ? ['a'] : ['a', 'b']);
    assert.deepEqual(notesOf(made), ['two-in-a-row', 'two-in-a-row']);
  }
});

test('counters of servers and security keys keep the higher value', () => {
  const other = newest([
    { ...cloud, spent: ['b'] },
    { ...security, counter: 50, spent: ['b'] },
  ]);
  const [otp, key] = mergeConservatively(record([cloud, security]), other, at).record.factors as [
    CloudYubikey,
    WebauthnRecord,
  ];
  assert.deepEqual([...otp.spent].sort(), ['a', 'b']);
  assert.equal(key.counter, 50);
  assert.deepEqual([...key.spent].sort(), ['a', 'b']);
});

describe('recovery keys', () => {
  test('are void if it is unknown which are used', () => {
    const some: Other = { kind: 'some', since: false, record: record([paper]) };
    for (const other of [unknown, some, { kind: 'removed' } as const]) {
      const made = mergeConservatively(record([paper]), other, at);
      assert.deepEqual(only<RecoveryRecord>(made).hashes, [null, null, null]);
      assert.ok(notesOf(made).includes('recovery-void'));
    }
  });

  test('stay used if either copy says so', () => {
    const made = mergeConservatively(
      record([paper]),
      newest([{ ...paper, hashes: [null, 'bbbb', 'cccc'] }]),
      at,
    );
    assert.deepEqual(only<RecoveryRecord>(made).hashes, [null, 'bbbb', null]);
  });

  test('renewed since do not come back', () => {
    const renewed: RecoveryRecord = { ...paper, id: 'paper2', salt: 'BBBB', hashes: ['dddd'] };
    const made = mergeConservatively(record([paper]), newest([renewed]), at);
    assert.deepEqual(
      made.record.factors.map(({ id }) => id),
      ['paper2'],
    );
    assert.deepEqual(notesOf(made), ['recovery-replaced', 'added-since']);
  });
});

describe('the uid of a record', () => {
  const of = (uid: number | undefined, ...factors: FactorRecord[]): AccountRecord => ({
    ...record(factors),
    ...(uid === undefined ? {} : { uid }),
  });

  test('is kept, and a record without one gets that of the newer copy', () => {
    assert.equal(mergeConservatively(of(7), unknown, at).record.uid, 7);
    assert.equal(mergeConservatively(of(7), { kind: 'removed' }, at).record.uid, 7);
    for (const kind of ['newest', 'beside', 'some'] as const) {
      assert.equal(
        mergeConservatively(of(undefined), { kind, since: true, record: of(7) }, at).record.uid,
        7,
        kind,
      );
      assert.equal(
        mergeConservatively(of(7), { kind, since: true, record: of(undefined) }, at).record.uid,
        7,
        kind,
      );
    }
    assert.equal('uid' in mergeConservatively(of(undefined), newest([]), at).record, false);
  });

  test('distinguishes two users: the newer record stays, and nothing of the older is merged', () => {
    for (const kind of ['newest', 'beside', 'some'] as const) {
      const other: Other = { kind, since: true, record: of(8, fob) };
      const made = mergeConservatively(of(7, phone), other, at);
      assert.equal(made.record.uid, 8, kind);
      assert.deepEqual(
        made.record.factors.map(({ id, enabled }) => [id, enabled]),
        [['hotp', true]],
      );
      assert.ok(notesOf(made).includes('uid-newer-stays'), kind);
    }
  });

  test('if the newest copy is unknown, the record of the backup is restored for its own uid', () => {
    const some: Other = { kind: 'some', since: false, record: of(8, fob) };
    const made = mergeConservatively(of(7, phone), some, at);
    assert.equal(made.record.uid, 7);
    assert.deepEqual(
      made.record.factors.map(({ id, enabled }) => [id, enabled]),
      [['totp', true]],
    );
    assert.ok(notesOf(made).includes('uid-differs'));
  });
});

describe('factors of only one copy', () => {
  test('removed since: restored, and disabled', () => {
    for (const other of [newest([]), { kind: 'removed' } as const]) {
      const made = mergeConservatively(record([security]), other, at);
      assert.equal(only(made).enabled, false);
      assert.deepEqual(notesOf(made), ['back-disabled']);
    }
  });

  test('disabled since: stay disabled, also by a store of unknown age', () => {
    const disabled = record([{ ...security, enabled: false }]);
    for (const kind of ['newest', 'beside', 'some'] as const)
      assert.equal(
        only(mergeConservatively(record([security]), { kind, since: false, record: disabled }, at)).enabled,
        false,
      );
  });

  test('enabled since: stay disabled, as in the backup', () => {
    const made = mergeConservatively(record([{ ...security, enabled: false }]), newest([security]), at);
    assert.equal(only(made).enabled, false);
  });

  test('added since: stay, but not from a store that may be older than the backup', () => {
    const added = mergeConservatively(record([]), newest([security]), at);
    assert.deepEqual([only(added).id, notesOf(added)], ['key', ['added-since']]);
    const older: Other = { kind: 'some', since: false, record: record([security]) };
    assert.deepEqual(mergeConservatively(record([]), older, at).record.factors, []);
  });

  test('a store that is newer than the backup, and may not be the newest, determines which exist', () => {
    const some: Other = { kind: 'some', since: true, record: record([paper, phone]) };
    const made = mergeConservatively(record([security]), some, at).record.factors;
    assert.deepEqual(
      made.map(({ id, enabled }) => [id, enabled]),
      [
        ['key', false],
        [paper.id, true],
        ['totp', true],
      ],
    );
    assert.deepEqual((made[1] as RecoveryRecord).hashes, [null, null, null], 'not what is spent of them');
    assert.ok((made[2] as TotpRecord).lastStep > phone.lastStep);
  });

  test('an entry missing in a store that is no descendant means nothing', () => {
    const made = mergeConservatively(record([security]), { kind: 'beside', record: record([phone]) }, at);
    assert.deepEqual(
      made.record.factors.map(({ id, enabled }) => [id, enabled]),
      [
        ['key', true],
        ['totp', true],
      ],
    );
  });
});

test('of lockouts and counts the stricter is kept', () => {
  const lock = { codes: 2, any: 9, codesLockedAt: 5 };
  const other = newest([], { lock: { codes: 8, any: 1, lockedAt: 6 } });
  assert.deepEqual(mergeConservatively(record([], { lock }), other, at).record.lock, {
    codes: 8,
    any: 9,
    codesLockedAt: 5,
    lockedAt: 6,
  });
});

test('nothing is restored that allows a login without a factor', () => {
  const lax = {
    grants: [{ realm: 'r', service: 's', origin: 'ip:::1', since: 1 }],
    graceStarted: now,
    invite: { digest: 'AAAA', expires: now * 2, withoutPassword: true },
  };
  const made = mergeConservatively(record([], lax), newest([], lax), at).record;
  assert.deepEqual(made.grants, []);
  assert.equal(made.graceStarted, 0, 'it is over');
  assert.equal(made.invite, undefined);
  const known = ['account', 'created', 'factors', 'graceStarted', 'grants', 'lock'];
  assert.deepEqual(Object.keys(made).sort(), known, 'and nothing that is not named');
});

test('YubiKey counters: used in either copy is used', () => {
  const token = { token: 'id:vvcccccccclb', lastPress: 3, spent: ['a'] };
  const made = mergeYubikeyCounter(token, { ...token, lastPress: 9, spent: ['b'] });
  assert.deepEqual([made.lastPress, [...made.spent].sort()], [9, ['a', 'b']]);
});
