import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Realm } from '../../../daemon/config/contract.ts';
import type { FactorRecord } from '../../../daemon/factors/kinds.ts';
import type { LoginFacts } from '../../../daemon/policy/contract.ts';
import { type Decision, decide } from '../../../daemon/policy/decide.ts';
import { explain } from '../../../daemon/policy/explain.ts';
import { publicKey, sshSkRecord } from '../../support/ssh-keys.ts';
import {
  day,
  disabled,
  facts,
  hour,
  minute,
  now,
  onTerminal,
  overUserSocket,
  question,
  realm,
  recovery,
  remember,
  rule,
  state,
  totp,
} from './support.ts';

function said(decision: Decision): string {
  switch (decision.kind) {
    case 'ask':
      return `ask ${decision.factors.map(({ id }) => id).join(' ')}`;
    case 'accept':
      return `accept ${decision.factor.id}`;
    case 'not-needed':
      return `not-needed ${decision.why}`;
    default:
      return `refused ${decision.why}`;
  }
}

const decided = (part: Parameters<typeof question>[0]) => said(decide(question(part)));
const accept: Realm['rules'][number]['action'] = { kind: 'accept', factor: 'ssh-sk' };
const accepting = rule(accept, { services: ['sshd'] });
const blue = sshSkRecord('blue');
const red = sshSkRecord('red');

/** Keys that sshd has verified. */
const withKeys = (...seeds: readonly string[]): LoginFacts =>
  facts({ sshKeys: seeds.map((seed) => publicKey(seed)) });
const bySudo: LoginFacts = onTerminal({ sshKeys: [publicKey('blue')] });

describe("an account's factors where a rule accepts ssh-sk", () => {
  type Row = [string, Realm['require'], readonly FactorRecord[], LoginFacts, string];
  const list = ['totp', 'webauthn'] as const;
  const noFactor = 'refused no-factor';
  const rows: Row[] = [
    ['any: its key', 'any', [blue], withKeys('blue'), 'accept s-blue'],
    ['list: its key', list, [blue], withKeys('blue'), 'accept s-blue'],
    ['none: its key', 'none', [blue], withKeys('blue'), 'accept s-blue'],
    ['any: one of two', 'any', [blue, red], withKeys('red'), 'accept s-red'],
    ['any: behind another one', 'any', [blue], withKeys('green', 'blue'), 'accept s-blue'],
    ['any: beside a code', 'any', [totp, blue, recovery], withKeys('blue'), 'accept s-blue'],
    ['any: another key', 'any', [blue], withKeys('green'), noFactor],
    ['list: another key', list, [blue], withKeys('green'), noFactor],
    ['none: another key', 'none', [blue], withKeys('green'), 'not-needed no-factor'],
    ['any: another key, and a code', 'any', [blue, totp], withKeys('green'), 'ask t1'],
    ['none: another key, and a code', 'none', [blue, totp], withKeys('green'), 'ask t1'],
    ['any: no key', 'any', [blue], facts(), noFactor],
    ['any: no key, and a code', 'any', [blue, totp, recovery], facts(), 'ask t1 r1'],
    ['any: a key that is not enrolled', 'any', [], withKeys('blue'), noFactor],
    ['any: a key that is not enrolled, and a code', 'any', [totp], withKeys('blue'), 'ask t1'],
    ['any: its key, disabled', 'any', [disabled(blue)], withKeys('blue'), 'refused all-disabled'],
    ['none: its key, disabled', 'none', [disabled(blue)], withKeys('blue'), 'not-needed all-disabled'],
    ['any: its key, disabled, and a code', 'any', [disabled(blue), totp], withKeys('blue'), 'ask t1'],
    [
      'any: its key, and a code that is disabled',
      'any',
      [blue, disabled(totp)],
      withKeys('blue'),
      'accept s-blue',
    ],
    [
      'any: another key, and a code that is disabled',
      'any',
      [blue, disabled(totp)],
      withKeys('green'),
      'refused all-disabled',
    ],
    [
      'any: both of its keys, one disabled',
      'any',
      [disabled(blue), red],
      withKeys('blue', 'red'),
      'accept s-red',
    ],
    ['any: the disabled one of two', 'any', [disabled(blue), red], withKeys('blue'), 'refused all-disabled'],
    // Such a file is not valid.
    ['totp: its key does not fit', ['totp'], [blue], withKeys('blue'), 'refused no-accepted-factor'],
    ['any: sudo', 'any', [blue], bySudo, noFactor],
    ['none: sudo', 'none', [blue], bySudo, 'not-needed no-factor'],
    ['any: sudo, and a code', 'any', [blue, totp], bySudo, 'ask t1'],
  ];
  for (const [what, require, factors, who, expected] of rows)
    it(`${what}: ${expected}`, () => {
      // For every service, so that sudo matches the rule too.
      const open = realm({ require, rules: [rule(accept)] });
      assert.equal(decided({ realm: open, state: state({ factors }), facts: who }), expected);
    });
});

describe('an accepted key', () => {
  const open = realm({ rules: [accepting] });
  const has = state({ factors: [blue, totp] });
  const used = withKeys('blue');

  const unbelieved: [string, Partial<LoginFacts>][] = [
    ['another service', { service: 'sudo' }],
    ['the portal', { service: 'sallyport-portal' }],
    ['a service that begins like sshd', { service: 'sshd-x' }],
    ['a login that is not proven', { firstFactorVerified: false }],
    ['pam-user.sock', overUserSocket],
  ];
  for (const [what, part] of unbelieved)
    it(`does not count in ${what}`, () => {
      const anywhere = realm({ rules: [rule(accept)] });
      const login = { ...used, ...part };
      assert.equal(decided({ realm: anywhere, state: has, facts: login }), 'ask t1');
      const alone = state({ factors: [blue] });
      assert.equal(decided({ realm: anywhere, state: alone, facts: login }), 'refused no-factor');
    });

  it('does not count if no rule matches, another comes first, or the rule has another action', () => {
    const from = [{ kind: 'network', family: 'ipv4', address: '10.0.0.0', prefix: 8 }] as const;
    for (const rules of [
      [],
      [rule(accept, { services: ['sshd'], from })],
      [rule({ kind: 'ask' }), accepting],
      [rule(remember)],
    ])
      assert.equal(decided({ realm: realm({ rules }), state: has, facts: used }), 'ask t1');
    const refusing = realm({ rules: [rule({ kind: 'refuse' }), accepting] });
    assert.equal(decided({ realm: refusing, state: has, facts: used }), 'refused rule-refuse');
  });

  it('is not accepted if only certain models of security keys are allowed', () => {
    const models = { aaguids: ['2fc0579f-8113-47ea-b116-bb5a8db9202a'], metadataFile: '/m' };
    const strict = realm({ rules: [accepting], webauthn: { ...open.webauthn, models } });
    assert.equal(
      decided({ realm: strict, state: state({ factors: [blue] }), facts: used }),
      'refused no-accepted-factor',
    );
    assert.equal(decided({ realm: strict, state: has, facts: used }), 'ask t1');
  });

  it('is refused during a full lockout, and not during one of codes', () => {
    const lock = { codes: 0, any: 100, lockedAt: now - minute };
    const locked = { realm: open, facts: used, state: { ...has, lock } };
    assert.equal(decided(locked), 'refused locked');
    assert.equal(decided({ ...locked, now: now + hour }), 'accept s-blue');
    const codes = { codes: 8, any: 8, codesLockedAt: now - day };
    assert.equal(decided({ ...locked, state: { ...has, lock: codes } }), 'accept s-blue');
    assert.equal(
      decided({ realm: open, facts: facts(), state: { ...has, lock: codes } }),
      'refused codes-locked',
    );
  });

  it('is no factor for the grace period, unless it was used and is disabled', () => {
    const fresh = realm({ enrol: 'grace', graceMs: 14 * day, rules: [accepting] });
    const alone = (factor: FactorRecord) => state({ factors: [factor], graceStarted: now - day });
    assert.equal(decided({ realm: fresh, facts: facts(), state: alone(blue) }), 'not-needed grace');
    assert.equal(decided({ realm: fresh, facts: used, state: alone(blue) }), 'accept s-blue');
    assert.equal(
      decided({ realm: fresh, facts: used, state: alone(disabled(blue)) }),
      'refused all-disabled',
    );
  });

  it('names the rule that accepted it', () => {
    const decision = decide(question({ realm: open, state: has, facts: used }));
    assert.deepEqual([decision.line, decision.rule, decision.realm], [20, accepting, 'everybody']);
    assert.match(decision.detail, /sshd has verified the security key ssh-sk "blue"/);
  });

  it('is explained with the key that was used', () => {
    const reported = explain(question({ realm: open, state: has, facts: used }));
    assert.deepEqual(
      [reported.decision, reported.why, reported.rule?.text],
      ['accept', 'ssh-key-accepted', 'accept ssh-sk for sshd'],
    );
    const text = reported.lines.join('\n');
    assert.match(text, /login {7}sshd from 203\.0\.113\.5 on ssh, with the security key "blue"/);
    assert.match(text, /rule {8}accept ssh-sk for sshd \(.*:20\)/);
    assert.match(text, /decision {4}nothing is asked: the key that was used is the second factor/);
    const other = explain(question({ realm: open, state: has, facts: withKeys('green') }));
    assert.equal(other.decision, 'ask');
    assert.match(other.lines.join('\n'), /with the security key of SSH that is not enrolled/);
  });
});
