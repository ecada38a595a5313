import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Membership } from '../../../daemon/host/contract.ts';
import { decide } from '../../../daemon/policy/decide.ts';
import { explain } from '../../../daemon/policy/explain.ts';
import { portalService } from '../../../daemon/policy/realm.ts';
import {
  config,
  day,
  facts,
  members,
  minute,
  now,
  overUserSocket,
  question,
  realm,
  rule,
  state,
  totp,
} from './support.ts';

type Part = NonNullable<Parameters<typeof question>[0]>;

function decided(part: Part): string {
  const { realm: strict = realm(), ...rest } = part;
  const decision = decide(question({ ...rest, realm: { ...strict, observe: true } }));
  assert.ok(decision.kind === 'not-needed', decision.kind);
  assert.equal(decision.text, undefined, 'nobody is told');
  assert.equal(decision.startGrace, undefined, 'no grace period begins');
  const { would } = decision;
  if (would === undefined) return `${decision.kind} ${decision.why}`;
  assert.equal(decision.why, 'observed');
  assert.equal(decision.line, would.line);
  const enforced = decide(question({ ...rest, realm: strict }));
  assert.deepEqual(would, enforced, 'it is what the realm would decide');
  return would.kind === 'ask' ? 'ask' : `${would.kind} ${would.why}`;
}

const lock = { codes: 8, any: 100, lockedAt: now - minute };

describe('a realm in observe mode allows logins, row by row', () => {
  const rows: readonly (readonly [string, Part, string])[] = [
    ['who would be asked', { state: state({ factors: [totp] }) }, 'ask'],
    ['who has no factor', {}, 'refused no-factor'],
    [
      'who has none that fits',
      { realm: realm({ require: ['webauthn'] }), state: state({ factors: [totp] }) },
      'refused no-accepted-factor',
    ],
    ['who would be locked', { state: state({ factors: [totp], lock }) }, 'refused locked'],
    [
      'a lock with a clock set back',
      { state: state({ factors: [totp], lock: { ...lock, lockedAt: now + day } }) },
      'refused locked',
    ],
    ['who would add a first factor', { realm: realm({ enrol: 'at-login' }) }, 'enrol no-factor'],
    ['whose grace would begin', { realm: realm({ enrol: 'grace', graceMs: day }) }, 'not-needed grace'],
    [
      'whom a rule would refuse',
      { realm: realm({ rules: [rule({ kind: 'refuse' })] }) },
      'refused rule-refuse',
    ],
    [
      'whom a rule lets off anyway',
      { realm: realm({ rules: [rule({ kind: 'skip' })] }) },
      'not-needed rule-skip',
    ],
    ['a login that is not proven', { facts: facts({ firstFactorVerified: false }) }, 'refused no-factor'],
    ['over pam-user.sock', { facts: facts(overUserSocket), state: state({ factors: [totp] }) }, 'ask'],
    [
      'su whose caller is not known',
      { realm: realm({ su: 'caller' }), holderUid: undefined, facts: facts({ service: 'su' }) },
      'refused su-caller-unknown',
    ],
  ];
  for (const [what, part, would] of rows)
    it(`${what}: otherwise ${would}`, () => assert.equal(decided(part), would));
});

describe('what observe mode does not affect', () => {
  it('the portal, where factors are changed', () => {
    const service = portalService;
    const decision = decide(
      question({
        realm: realm({ observe: true }),
        state: state({ factors: [totp] }),
        facts: facts({ service }),
      }),
    );
    assert.equal(decision.kind, 'ask');
    const none = decide(question({ realm: realm({ observe: true }), facts: facts({ service }) }));
    assert.equal(none.kind, 'refused');
  });

  it('other realms', () => {
    const watched = realm({ name: 'watched', observe: true, members: members({ users: ['bob'] }) });
    assert.equal(decide(question({ config: config(watched, realm()) })).kind, 'refused');
  });

  for (const [what, after, expected] of [
    ['another realm after it asks', realm(), 'refused groups-unresolved'],
    ['all after it observe', realm({ observe: true }), 'not-needed observed'],
  ] as const) {
    it(`a group that does not resolve, where ${what}: ${expected}`, () => {
      const watched = realm({ name: 'watched', observe: true, members: members({ groups: ['staff'] }) });
      const decision = decide(question({ config: config(watched, after) }));
      assert.ok(decision.kind !== 'ask');
      assert.equal(`${decision.kind} ${decision.why}`, expected);
    });
  }

  it('an earlier realm whose group does not resolve', () => {
    const strict = realm({ name: 'strict', members: members({ groups: ['staff'] }) });
    const groups = new Map<string, Membership>([['staff', 'unresolved']]);
    const decision = decide(question({ config: config(strict, realm({ observe: true })), groups }));
    assert.equal(decision.kind, 'refused');
  });
});

describe('explain in observe mode', () => {
  it('says that the login is allowed, and what the decision would be', () => {
    const reported = explain(question({ realm: realm({ observe: true }) }));
    assert.deepEqual(
      { decision: reported.decision, why: reported.why, would: reported.would },
      { decision: 'not-needed', why: 'observed', would: { decision: 'refused', why: 'no-factor' } },
    );
    assert.ok(
      reported.lines.some((line) => line.includes('in observe mode; otherwise refused (no-factor)')),
      reported.lines.join('\n'),
    );
  });
});
