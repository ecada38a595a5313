import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decide } from '../../../daemon/policy/decide.ts';
import { explain } from '../../../daemon/policy/explain.ts';
import { portalService } from '../../../daemon/policy/realm.ts';
import { sshSkRecord } from '../../support/ssh-keys.ts';
import {
  bypass,
  config,
  day,
  disabled,
  facts,
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
  usedUp,
} from './support.ts';

/** A name is not a person: the record of alice was created for uid 999, and alice has uid 1000. */

type Part = NonNullable<Parameters<typeof question>[0]>;

function decided(part: Part): string {
  const decision = decide(question(part));
  return decision.kind === 'ask' ? 'ask' : `${decision.kind} ${decision.why}`;
}

const another = { uid: 999 } as const;
const refused = 'refused uid-changed';
const grant = {
  realm: 'everybody',
  service: 'sudo',
  origin: 'tty:/dev/pts/3 session:7 boot:boot-1',
  since: now,
};
const exemption = { since: now - minute, until: now + day, by: 'uid:0' };

describe('a record created for another uid', () => {
  for (const require of ['none', 'any', ['totp']] as const)
    for (const [what, held] of [
      ['a factor', { factors: [totp] }],
      ['a factor that is disabled', { factors: [disabled(totp)] }],
      ['recovery keys that are used up', { factors: [usedUp] }],
      ['a bypass code', { factors: [bypass] }],
      ['a key of ssh', { factors: [sshSkRecord('blue')] }],
      ['an invite', { invite: { expires: now + minute } }],
    ] as const)
      it(`is refused with ${what}, where ${require} is required`, () => {
        const part = { realm: realm({ require }), state: state({ ...another, ...held }) };
        assert.equal(decided(part), refused);
        assert.notEqual(decided({ ...part, state: state({ uid: 1000, ...held }) }), refused);
      });

  it('is refused despite everything that would allow it: an exemption, grace, a grant, a first factor', () => {
    const held = state({ ...another, factors: [totp], exemption, graceStarted: now, grants: [grant] });
    const rules = [rule(remember)];
    for (const only of [
      realm({ rules }),
      realm({ rules, require: 'none' }),
      realm({ rules, enrol: 'at-login' }),
      realm({ rules, enrol: 'grace', graceMs: day }),
    ])
      for (const login of [
        facts(),
        onTerminal(),
        facts({ service: portalService }),
        facts({ firstFactorVerified: false }),
      ])
        assert.equal(decided({ realm: only, state: held, facts: login }), refused);
    assert.equal(decided({ state: held, facts: facts(overUserSocket) }), refused);
    const key = sshSkRecord('blue');
    const accepting = realm({ rules: [rule({ kind: 'accept', factor: 'ssh-sk' }, { services: ['sshd'] })] });
    const login = facts({ sshKeys: [key.publicKey] });
    assert.equal(
      decided({ realm: accepting, facts: login, state: state({ ...another, factors: [key] }) }),
      refused,
    );
  });

  it('is refused during a lockout too, and a rule that refuses keeps its reason', () => {
    const lock = { codes: 8, any: 100, lockedAt: now - minute };
    assert.equal(decided({ state: state({ ...another, factors: [totp], lock }) }), refused);
    const strict = realm({ rules: [rule({ kind: 'refuse' })] });
    assert.equal(
      decided({ realm: strict, state: state({ ...another, factors: [totp] }) }),
      'refused rule-refuse',
    );
  });

  it('does not prevent a rule that skips: the record is not read', () => {
    const lax = realm({ rules: [rule({ kind: 'skip' })] });
    assert.equal(
      decided({ realm: lax, state: state({ ...another, factors: [totp] }) }),
      'not-needed rule-skip',
    );
  });

  it('is observed like other refusals in a realm in observe mode', () => {
    const decision = decide(
      question({ realm: realm({ observe: true }), state: state({ ...another, factors: [totp] }) }),
    );
    assert.ok(decision.kind === 'not-needed' && decision.why === 'observed');
    assert.equal(decision.would?.kind === 'refused' && decision.would.why, 'uid-changed');
  });

  it("is that of the caller if su asks for the caller's factor", () => {
    const only = realm({ su: 'caller' });
    const su = facts({ service: 'su', realUid: 2000 });
    const held = state({ uid: 2000, factors: [totp] });
    assert.equal(decided({ realm: only, facts: su, state: held, holderUid: 2000 }), 'ask');
    assert.equal(decided({ realm: only, facts: su, state: held, holderUid: 2001 }), refused);
    assert.equal(
      decided({ realm: only, facts: su, state: state(), holderUid: undefined }),
      'refused su-caller-unknown',
    );
  });

  it('is named by explain, with both uids', () => {
    const reported = explain(question({ state: state({ ...another, factors: [totp] }) }));
    assert.deepEqual([reported.decision, reported.why], ['refused', 'uid-changed']);
    assert.match(reported.detail, /uid 999.* uid 1000/);
  });
});

describe('an empty record of another uid', () => {
  const empty = state({
    ...another,
    exemption,
    grants: [grant],
    graceStarted: now - 30 * day,
    lock: { codes: 8, any: 100, codesLockedAt: now, lockedAt: now },
    invite: { expires: now },
  });

  it('counts as absent: no exemption, lockout or grace of the former account', () => {
    assert.equal(decided({ state: empty }), 'refused no-factor');
    assert.equal(decided({ state: empty, realm: realm({ require: 'none' }) }), 'not-needed no-factor');
    assert.equal(decided({ state: empty, realm: realm({ enrol: 'at-login' }) }), 'enrol no-factor');
    const grace = decide(question({ state: empty, realm: realm({ enrol: 'grace', graceMs: day }) }));
    assert.ok(grace.kind === 'not-needed' && grace.why === 'grace');
    assert.equal(grace.startGrace, true);
  });
});

describe('a record without a uid', () => {
  it('was written before uids were stored, and belongs to the account', () => {
    assert.equal(decided({ state: state({ factors: [totp, recovery] }) }), 'ask');
    assert.equal(decided({ state: state({ factors: [totp], exemption }) }), 'not-needed exempt');
  });
});

it('treats uid 0 as a uid', () => {
  const { account: _, ...rest } = question({ state: state({ uid: 0, factors: [totp] }) });
  const root = { name: 'root', uid: 0, gid: 0 };
  const only = config(realm());
  assert.equal(decide({ ...rest, config: only, account: root, holderUid: 0 }).kind, 'ask');
  assert.equal(decide({ ...rest, config: only, account: root, holderUid: 1000 }).kind, 'refused');
  const held = { ...rest, state: state({ uid: 1000, factors: [totp] }) };
  assert.equal(decide({ ...held, config: only, account: root, holderUid: 0 }).kind, 'refused');
});
