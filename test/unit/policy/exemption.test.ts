import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Exemption } from '../../../daemon/policy/contract.ts';
import { decide } from '../../../daemon/policy/decide.ts';
import { portalService } from '../../../daemon/policy/realm.ts';
import {
  day,
  facts,
  hour,
  minute,
  now,
  overUserSocket,
  question,
  realm,
  rule,
  state,
  totp,
} from './support.ts';

const exemption: Exemption = {
  since: now - hour,
  until: now + day,
  by: 'uid:0',
  reason: 'phone is at the repair',
};

type Part = Parameters<typeof question>[0];
function decided(given: Exemption, part: Part = {}): string {
  const { state: own = state({ factors: [totp] }), ...rest } = part ?? {};
  const decision = decide(question({ ...rest, state: { ...own, exemption: given } }));
  return decision.kind === 'ask' ? 'ask' : `${decision.kind} ${decision.why}`;
}

describe('an exemption, row by row', () => {
  const rows: readonly (readonly [string, string, Part?, Partial<Exemption>?])[] = [
    ['lets off who has a factor', 'not-needed exempt'],
    ['and who has none', 'not-needed exempt', { state: state() }],
    [
      'without beginning a grace period',
      'not-needed exempt',
      { realm: realm({ enrol: 'grace', graceMs: day }), state: state() },
    ],
    [
      'nor asking for a first factor',
      'not-needed exempt',
      { realm: realm({ enrol: 'at-login' }), state: state() },
    ],
    [
      'whatever is locked',
      'not-needed exempt',
      { state: state({ factors: [totp], lock: { codes: 8, any: 100, lockedAt: now - minute } }) },
    ],
    ['where the rule says ask', 'not-needed exempt', { realm: realm({ rules: [rule({ kind: 'ask' })] }) }],
    ['a login that is not proven', 'not-needed exempt', { facts: facts({ firstFactorVerified: false }) }],
    ['over pam-user.sock', 'not-needed exempt', { facts: facts(overUserSocket) }],
    [
      'not where a rule refuses',
      'refused rule-refuse',
      { realm: realm({ rules: [rule({ kind: 'refuse' })] }) },
    ],
    ['not in the portal', 'ask', { facts: facts({ service: portalService }) }],
    ['from its first millisecond', 'not-needed exempt', {}, { since: now }],
    ['not before it: the clock was set back', 'ask', {}, { since: now + 1 }],
    ['up to its last', 'not-needed exempt', {}, { until: now + 1 }],
    ['not at its end', 'ask', {}, { until: now }],
    ['for its service', 'not-needed exempt', {}, { services: ['sudo', 'sshd'] }],
    ['not for another', 'ask', {}, { services: ['sudo'] }],
    [
      'not for the service that a program of the user says it is',
      'ask',
      { facts: facts(overUserSocket) },
      { services: ['sshd'] },
    ],
    [
      'not for the portal by its name',
      'ask',
      { facts: facts({ service: portalService }) },
      { services: [portalService] },
    ],
    [
      'not while a group of the realm does not resolve',
      'refused groups-unresolved',
      { realm: realm({ members: { groups: ['staff'], users: [], domains: [], uids: [] } }) },
    ],
  ];
  for (const [what, expected, part, changes] of rows)
    it(`${what}: ${expected}`, () => assert.equal(decided({ ...exemption, ...changes }, part), expected));

  it('states who granted it, until when and why', () => {
    const decision = decide(question({ state: { ...state(), exemption } }));
    assert.match(decision.detail, /uid:0.*2026-06-16 12:00 UTC.*repair/);
  });
});
