import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Realm } from '../../../daemon/config/contract.ts';
import type { FactorRecord } from '../../../daemon/factors/kinds.ts';
import { decide } from '../../../daemon/policy/decide.ts';
import type { DecisionInput } from '../../../daemon/policy/decision.ts';
import {
  bypass,
  day,
  disabled,
  hour,
  minute,
  now,
  question,
  realm,
  recovery,
  remember,
  rule,
  scratch,
  spentScratch,
  state,
  totp,
  usedUp,
} from './support.ts';

type Part = Parameters<typeof question>[0];

function decided(part: Part): string {
  const decision = decide(question(part));
  switch (decision.kind) {
    case 'ask':
      return `ask ${decision.factors.map(({ id }) => id).join(' ')}`;
    case 'not-needed':
    case 'refused':
      return `${decision.kind} ${decision.why}`;
    default:
      return decision.kind;
  }
}

const graceIsOver = { enrol: 'grace', graceMs: day } as const;

describe('a bypass code, row by row', () => {
  const rows: readonly (readonly [
    string,
    Partial<Realm>,
    readonly FactorRecord[],
    string,
    Partial<DecisionInput>?,
  ])[] = [
    ['none: alone it makes nobody asked', { require: 'none' }, [bypass], 'not-needed no-factor'],
    [
      'none: nor beside what is disabled',
      { require: 'none' },
      [disabled(totp), bypass],
      'not-needed all-disabled',
    ],
    ['none: beside a factor it will do too', { require: 'none' }, [totp, bypass], 'ask t1 b1'],
    ['any: beside others', { require: 'any' }, [totp, recovery, bypass], 'ask t1 r1 b1'],
    ['any: in place of a factor', { require: 'any' }, [bypass], 'ask b1'],
    ['any: in place of those that are disabled', { require: 'any' }, [disabled(totp), bypass], 'ask b1'],
    ['list: in place of one that fits', { require: ['webauthn'] }, [totp, bypass], 'ask b1'],
    ['yubikey: as recovery keys do', { require: ['yubikey'] }, [totp, bypass], 'ask b1'],
    ['disabled it is nothing', { require: 'any' }, [disabled(bypass)], 'refused no-factor'],
    ['at its end it is nothing', { require: 'any' }, [{ ...bypass, until: now }], 'refused no-factor'],
    [
      'before its beginning it is nothing: the clock was set back',
      { require: 'any' },
      [{ ...bypass, created: now + minute, until: now + hour }],
      'refused no-factor',
    ],
    ['in the grace period nothing is asked', { enrol: 'grace', graceMs: day }, [bypass], 'not-needed grace'],
    [
      'after it the code is',
      graceIsOver,
      [bypass],
      'ask b1',
      { state: state({ factors: [bypass], graceStarted: now - 2 * day }) },
    ],
    [
      'with a clock before the grace period too',
      graceIsOver,
      [bypass],
      'ask b1',
      { state: state({ factors: [bypass], graceStarted: now + day }) },
    ],
    ['before a first factor is added', { enrol: 'at-login' }, [bypass], 'ask b1'],
    [
      'typed codes are locked: it is one',
      { require: 'any' },
      [bypass],
      'refused codes-locked',
      { state: state({ factors: [bypass], lock: { codes: 8, any: 8, codesLockedAt: now - minute } }) },
    ],
    [
      'everything is locked: it opens nothing',
      { require: 'any' },
      [bypass],
      'refused locked',
      { state: state({ factors: [bypass], lock: { codes: 0, any: 100, lockedAt: now - minute } }) },
    ],
    [
      'a rule that refuses refuses it',
      { require: 'any', rules: [rule({ kind: 'refuse' })] },
      [bypass],
      'refused rule-refuse',
    ],
  ];
  for (const [what, part, factors, expected, more] of rows) {
    it(`${what}: ${expected}`, () =>
      assert.equal(decided({ realm: realm(part), state: state({ factors }), ...more }), expected));
  }

  it('does not replace the factor of a caller of su who is unknown', () => {
    const part = {
      realm: realm({ su: 'caller' }),
      state: state({ factors: [bypass] }),
      holderUid: undefined,
    };
    const facts = { ...question().facts, service: 'su' };
    assert.equal(decided({ ...part, facts }), 'refused su-caller-unknown');
  });

  it('keeps a current grant in force', () => {
    const facts = question().facts;
    const grant = { realm: 'everybody', service: 'sshd', origin: 'ip:203.0.113.5', since: now - minute };
    const part = {
      realm: realm({ rules: [rule(remember)] }),
      state: state({ factors: [totp, bypass], grants: [grant] }),
      facts,
    };
    assert.equal(decided(part), 'not-needed remembered');
  });
});

describe('scratch codes, row by row', () => {
  for (const [what, require, factors, expected] of [
    ['stand in for totp', ['totp'], [scratch], 'ask s1'],
    ['and for nothing else', ['webauthn'], [scratch], 'refused no-accepted-factor'],
    ['nor in a realm of YubiKeys', ['yubikey'], [scratch], 'refused no-accepted-factor'],
    ['are a factor in any', 'any', [scratch], 'ask s1'],
    ['and in none', 'none', [scratch], 'ask s1'],
    ['used up they are none', 'any', [spentScratch], 'refused used-up'],
    [
      'and do not hide that all else is disabled',
      'any',
      [disabled(totp), spentScratch],
      'refused all-disabled',
    ],
    ['nor that there is nothing at all', 'none', [spentScratch, usedUp], 'not-needed no-factor'],
  ] as const satisfies readonly (readonly [string, Realm['require'], readonly FactorRecord[], string])[]) {
    it(`${what}: ${expected}`, () =>
      assert.equal(decided({ realm: realm({ require }), state: state({ factors }) }), expected));
  }

  it('are locked with the other typed codes, and clear no lockout', () => {
    const lock = { codes: 8, any: 8, codesLockedAt: now - minute };
    assert.equal(decided({ state: state({ factors: [scratch], lock }) }), 'refused codes-locked');
  });
});
