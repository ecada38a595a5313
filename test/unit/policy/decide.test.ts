import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Realm } from '../../../daemon/config/contract.ts';
import type { FactorRecord } from '../../../daemon/factors/kinds.ts';
import { satisfiesRequirement } from '../../../daemon/factors/kinds.ts';
import type { AccountState, LoginFacts } from '../../../daemon/policy/contract.ts';
import { type Decision, decide } from '../../../daemon/policy/decide.ts';
import { factorOwnerOf } from '../../../daemon/policy/realm.ts';
import {
  config,
  day,
  disabled,
  facts,
  hotp,
  hour,
  members,
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

/** "ask t1 r1", "not-needed rule-skip", "refused no-factor auth-err". */
function said(decision: Decision): string {
  switch (decision.kind) {
    case 'ask':
      return `ask ${decision.factors.map(({ id }) => id).join(' ')}`;
    case 'not-needed':
      return `not-needed ${decision.why}`;
    case 'accept':
      return `accept ${decision.factor.id}`;
    case 'enrol':
      return 'enrol';
    case 'refused':
      return `refused ${decision.why} ${decision.result}`;
  }
}

const decided = (part: Parameters<typeof question>[0]) => said(decide(question(part)));
const spareTotp = { ...totp, id: 't2' };

describe("an account's factors in a realm (the first table)", () => {
  const none = 'none' as const;
  const any = 'any' as const;
  const rows: [string, Realm['require'], FactorRecord[], string][] = [
    ['none: no factor', none, [], 'not-needed no-factor'],
    ['none: a used-up recovery set is no factor', none, [usedUp], 'not-needed no-factor'],
    ['none: one enabled', none, [totp], 'ask t1'],
    ['none: any enabled one will do', none, [totp, hotp, recovery], 'ask t1 h1 r1'],
    ['none: a recovery set alone', none, [recovery], 'ask r1'],
    ['none: one of two disabled', none, [disabled(totp), hotp], 'ask h1'],
    ['none: all disabled', none, [disabled(totp), disabled(recovery)], 'not-needed all-disabled'],
    ['any: one', any, [hotp], 'ask h1'],
    ['any: several, and recovery keys', any, [totp, spareTotp, recovery], 'ask t1 t2 r1'],
    ['any: no factor', any, [], 'refused no-factor auth-err'],
    ['any: a used-up recovery set is no factor', any, [usedUp], 'refused used-up auth-err'],
    ['any: all disabled', any, [disabled(totp)], 'refused all-disabled auth-err'],
    [
      'any: a used-up set does not hide that all else is disabled',
      any,
      [disabled(totp), usedUp],
      'refused all-disabled auth-err',
    ],
    ['any: a disabled set of recovery keys', any, [disabled(recovery)], 'refused all-disabled auth-err'],
    ['list: one that fits', ['totp'], [totp], 'ask t1'],
    ['list: HOTP meets totp', ['totp'], [hotp], 'ask h1'],
    ['list: recovery keys alone', ['totp'], [recovery], 'ask r1'],
    ['list: only those that fit, and recovery keys', ['webauthn'], [totp, recovery], 'ask r1'],
    ['list: only such as do not fit', ['webauthn'], [totp, hotp], 'refused no-accepted-factor auth-err'],
    [
      'list: what fits is disabled, what does not fit is not',
      ['webauthn', 'totp'],
      [disabled(totp), usedUp],
      'refused all-disabled auth-err',
    ],
    ['list: no factor', ['totp', 'webauthn'], [], 'refused no-factor auth-err'],
    ['list: one disabled, one not', ['totp'], [disabled(totp), spareTotp], 'ask t2'],
    ['yubikey: TOTP does not fit', ['yubikey'], [totp], 'refused no-accepted-factor auth-err'],
    ['yubikey: recovery keys do', ['yubikey'], [totp, recovery], 'ask r1'],
    ['yubikey: no factor', ['yubikey'], [], 'refused no-factor auth-err'],
    ['yubikey: all disabled', ['yubikey'], [disabled(totp)], 'refused all-disabled auth-err'],
  ];
  for (const [what, require, factors, expected] of rows) {
    it(`${what}: ${expected}`, () => {
      const part = { realm: realm({ require }), state: state({ factors }) };
      assert.equal(decided(part), expected);
      // The same for an unverified login: the verifier hides it, the policy does not change.
      assert.equal(decided({ ...part, facts: facts({ firstFactorVerified: false }) }), expected);
      assert.equal(decided({ ...part, facts: facts(overUserSocket) }), expected);
    });
  }
});

describe('requirements and the kinds that satisfy them (the second table)', () => {
  for (const [require, kinds] of [
    [['totp'], ['totp', 'hotp', 'scratch', 'recovery', 'bypass']],
    [['webauthn'], ['recovery', 'bypass']],
    [['yubikey'], ['recovery', 'bypass']],
    [
      ['webauthn', 'totp'],
      ['totp', 'hotp', 'scratch', 'recovery', 'bypass'],
    ],
    ['any', ['totp', 'hotp', 'scratch', 'recovery', 'bypass']],
    ['none', ['totp', 'hotp', 'scratch', 'recovery', 'bypass']],
  ] as const) {
    it(`${JSON.stringify(require)} is satisfied by only ${kinds.join(', ')}`, () => {
      for (const kind of ['totp', 'hotp', 'scratch', 'recovery', 'bypass'] as const) {
        assert.equal(satisfiesRequirement(require, kind), (kinds as readonly string[]).includes(kind), kind);
      }
    });
  }
});

describe('rules', () => {
  const withRule = (action: Parameters<typeof rule>[0]) => realm({ rules: [rule(action)] });

  it('skip needs no factor, whatever the account has', () => {
    for (const factors of [[], [totp], [disabled(totp)]]) {
      assert.equal(
        decided({ realm: withRule({ kind: 'skip' }), state: state({ factors }) }),
        'not-needed rule-skip',
      );
    }
  });

  it('refuse refuses whatever the account has, also in a realm that requires nothing', () => {
    for (const require of ['none', 'any'] as const) {
      const strict = { ...withRule({ kind: 'refuse' }), require };
      assert.equal(
        decided({ realm: strict, state: state({ factors: [totp] }) }),
        'refused rule-refuse perm-denied',
      );
    }
  });

  it('ask changes nothing', () => {
    const asking = withRule({ kind: 'ask' });
    assert.equal(decided({ realm: asking, state: state({ factors: [totp] }) }), 'ask t1');
    assert.equal(decided({ realm: asking }), 'refused no-factor auth-err');
    assert.equal(decided({ realm: { ...asking, require: 'none' } }), 'not-needed no-factor');
  });

  it('no rule matches on pam-user.sock', () => {
    for (const kind of ['skip', 'refuse'] as const) {
      const part = {
        realm: withRule({ kind }),
        facts: facts(overUserSocket),
        state: state({ factors: [totp] }),
      };
      assert.equal(decided(part), 'ask t1');
    }
  });
});

describe('a group that does not resolve', () => {
  const staff = realm({ name: 'staff', line: 5, members: members({ groups: ['staff'] }) });
  const lax = realm({ name: 'lax', require: 'none' });

  it('refuses the login, and names the realm that could not be ruled out', () => {
    const decision = decide(
      question({ config: config(staff, lax), groups: new Map([['staff', 'unresolved']]) }),
    );
    assert.equal(said(decision), 'refused groups-unresolved system-err');
    assert.equal(decision.realm, 'staff');
    assert.equal(decision.line, 5);
    assert.match(decision.detail, /staff/);
  });

  it('does not when it resolves', () => {
    const part = { config: config(staff, lax), groups: new Map([['staff', 'not-member' as const]]) };
    assert.equal(decided(part), 'not-needed no-factor');
  });
});

describe('grace', () => {
  const fortnight = realm({ enrol: 'grace', graceMs: 14 * day });
  const dated = realm({ enrol: 'grace', graceUntil: now + 3 * day });
  const unverified: Partial<LoginFacts> = { firstFactorVerified: false };
  const rows: [string, Realm, Partial<LoginFacts>, number | undefined, string, boolean][] = [
    ['the first proven login starts it', fortnight, {}, undefined, 'not-needed grace', true],
    ['it goes on', fortnight, {}, now - 13 * day, 'not-needed grace', false],
    ['its last millisecond', fortnight, {}, now - 14 * day + 1, 'not-needed grace', false],
    ['it is over', fortnight, {}, now - 14 * day, 'refused grace-expired auth-err', false],
    [
      'a login that is not proven starts none',
      fortnight,
      unverified,
      undefined,
      'refused no-factor auth-err',
      false,
    ],
    [
      'nor does one on pam-user.sock',
      fortnight,
      overUserSocket,
      undefined,
      'refused no-factor auth-err',
      false,
    ],
    ['but passes while it runs', fortnight, unverified, now - day, 'not-needed grace', false],
    ['and on pam-user.sock', fortnight, overUserSocket, now - day, 'not-needed grace', false],
    [
      'and not once it is over',
      fortnight,
      unverified,
      now - 15 * day,
      'refused grace-expired auth-err',
      false,
    ],
    ['the clock stands before its start', fortnight, {}, now + 1, 'refused grace-clock auth-err', false],
    ['a date to come', dated, {}, undefined, 'not-needed grace', true],
    ['a date to come, started', dated, {}, now - 100 * day, 'not-needed grace', false],
    ['a date to come, not proven', dated, unverified, undefined, 'refused no-factor auth-err', false],
    ['a date to come, clock set back', dated, {}, now + 1, 'refused grace-clock auth-err', false],
    ['a date past', { ...dated, graceUntil: now }, {}, undefined, 'refused grace-expired auth-err', false],
    [
      'a date past, started',
      { ...dated, graceUntil: now },
      {},
      now - day,
      'refused grace-expired auth-err',
      false,
    ],
  ];
  for (const [what, in_, part, graceStarted, expected, starts] of rows) {
    it(`${what}: ${expected}`, () => {
      const has = state(graceStarted === undefined ? {} : { graceStarted });
      const decision = decide(question({ realm: in_, facts: facts(part), state: has }));
      assert.equal(said(decision), expected);
      assert.equal(decision.kind === 'not-needed' && decision.startGrace === true, starts);
    });
  }

  it('is only for accounts without any factor', () => {
    for (const [factors, expected] of [
      [[totp], 'ask t1'],
      [[disabled(totp)], 'refused all-disabled auth-err'],
      [[usedUp], 'not-needed grace'],
    ] as const) {
      assert.equal(
        decided({ realm: fortnight, state: state({ factors, graceStarted: now - day }) }),
        expected,
      );
    }
    const strict = { ...fortnight, require: ['webauthn'] as const };
    assert.equal(
      decided({ realm: strict, state: state({ factors: [totp], graceStarted: now - day }) }),
      'refused no-accepted-factor auth-err',
    );
  });
});

describe('locks', () => {
  const locks = {
    codes: { codes: 8, any: 8, codesLockedAt: now - hour },
    all: { codes: 0, any: 100, lockedAt: now - minute },
    over: { codes: 0, any: 100, lockedAt: now - hour },
    back: { codes: 0, any: 100, lockedAt: now + day },
  };
  const rows: [string, keyof typeof locks, FactorRecord[], string][] = [
    ['typed codes locked, nothing else', 'codes', [totp, hotp], 'refused codes-locked maxtries'],
    ['typed codes locked, recovery keys left', 'codes', [totp, recovery], 'ask t1 r1'],
    ['typed codes locked, recovery keys used up', 'codes', [totp, usedUp], 'refused codes-locked maxtries'],
    [
      'typed codes locked, recovery keys disabled',
      'codes',
      [totp, disabled(recovery)],
      'refused codes-locked maxtries',
    ],
    ['everything locked', 'all', [totp, recovery], 'refused locked maxtries'],
    ['everything locked, but nothing asked', 'all', [], 'not-needed no-factor'],
    ['the lock is over', 'over', [totp], 'ask t1'],
    ['the clock was set back', 'back', [totp], 'refused locked maxtries'],
  ];
  for (const [what, lock, factors, expected] of rows) {
    it(`${what}: ${expected}`, () => {
      const part = { realm: realm({ require: 'none' }), state: state({ factors, lock: locks[lock] }) };
      const decision = decide(question(part));
      assert.equal(said(decision), expected);
      assert.equal(
        decision.kind === 'ask' && decision.codesLocked,
        lock === 'codes' && decision.kind === 'ask',
      );
    });
  }

  it('a rule that skips needs no answer, so a lockout does not apply', () => {
    const part = {
      realm: realm({ rules: [rule({ kind: 'skip' })] }),
      state: state({ factors: [totp], lock: locks.all }),
    };
    assert.equal(decided(part), 'not-needed rule-skip');
  });

  it('report until when, and what to store when the clock was set back', () => {
    const decisionFor = (lock: AccountState['lock']) => {
      const decision = decide(question({ state: state({ factors: [totp], lock }) }));
      assert.ok(decision.kind === 'refused');
      return decision;
    };
    assert.deepEqual(
      [decisionFor(locks.all).until, decisionFor(locks.all).relockAt],
      [now + hour - minute, undefined],
    );
    assert.deepEqual([decisionFor(locks.back).until, decisionFor(locks.back).relockAt], [now + hour, now]);
  });
});

describe('remember', () => {
  const remembering = realm({
    rules: [rule(remember, { services: ['sudo'] }), rule({ kind: 'ask' }, { line: 21 })],
  });
  const origin = 'tty:/dev/pts/3 session:7 boot:boot-1';
  const grant = { realm: 'everybody', service: 'sudo', origin, since: now - minute };
  const withGrant = (part: Partial<AccountState> = {}) =>
    state({ factors: [totp], grants: [grant], ...part });

  it('replaces an answer', () => {
    assert.equal(
      decided({ realm: remembering, facts: onTerminal(), state: withGrant() }),
      'not-needed remembered',
    );
  });

  it('counts only if the matching rule is one of remember', () => {
    const ssh = { ...grant, service: 'sshd', origin: 'ip:203.0.113.5' };
    const has = withGrant({ grants: [ssh] });
    assert.equal(decided({ realm: remembering, state: has }), 'ask t1');
    assert.equal(decided({ realm: realm(), facts: onTerminal(), state: withGrant() }), 'ask t1');
  });

  it('uses the period that the rule has now', () => {
    const older = withGrant({ grants: [{ ...grant, since: now - 15 * minute }] });
    assert.equal(decided({ realm: remembering, facts: onTerminal(), state: older }), 'ask t1');
    const later = withGrant({ grants: [{ ...grant, since: now + 1 }] });
    assert.equal(decided({ realm: remembering, facts: onTerminal(), state: later }), 'ask t1');
  });

  it('replaces only an answer that could be given now', () => {
    const part = { realm: remembering, facts: onTerminal() };
    const lockedAll = { codes: 0, any: 100, lockedAt: now };
    const lockedCodes = { codes: 8, any: 8, codesLockedAt: now };
    for (const [has, expected] of [
      [withGrant({ factors: [] }), 'refused no-factor auth-err'],
      [withGrant({ factors: [disabled(totp)] }), 'refused all-disabled auth-err'],
      [withGrant({ lock: lockedAll }), 'refused locked maxtries'],
      [withGrant({ lock: lockedCodes }), 'refused codes-locked maxtries'],
    ] as const) {
      assert.equal(decided({ ...part, state: has }), expected);
    }
  });

  it('is offered only after a login with a verified first factor from a known location', () => {
    const offered = (login: LoginFacts) => {
      const decision = decide(
        question({ realm: remembering, facts: login, state: state({ factors: [totp] }) }),
      );
      assert.ok(decision.kind === 'ask');
      return decision.remember;
    };
    assert.equal(offered(onTerminal()), true);
    assert.equal(offered(onTerminal({ firstFactorVerified: false })), false);
    assert.equal(offered(onTerminal({ tty: '' })), false);
    assert.equal(offered(onTerminal(overUserSocket)), false);
    assert.equal(offered(facts()), false);
  });

  it('in progress allows an unverified login of root, and none on pam-user.sock', () => {
    const part = { realm: remembering, state: withGrant() };
    assert.equal(
      decided({ ...part, facts: onTerminal({ firstFactorVerified: false }) }),
      'not-needed remembered',
    );
    assert.equal(decided({ ...part, facts: onTerminal(overUserSocket) }), 'ask t1');
  });
});

describe('su', () => {
  const caller = realm({ su: 'caller', enrol: 'grace', graceMs: day });
  const su = onTerminal({ service: 'su' });

  it('asks for the factors of its caller only for su, only over the root socket, only if the realm says so', () => {
    assert.equal(factorOwnerOf(caller, su), 'caller');
    assert.equal(factorOwnerOf(caller, { ...su, service: 'su-l' }), 'caller');
    assert.equal(factorOwnerOf(realm(), su), 'target');
    for (const service of ['sudo', 'sshd', 'login', 'su-x']) {
      assert.equal(factorOwnerOf(caller, { ...su, service }), 'target');
    }
    // A program on pam-user.sock may claim any service and any real uid.
    assert.equal(factorOwnerOf(caller, { ...su, ...overUserSocket }), 'target');
  });

  it('of a caller without an account is refused if anything is required', () => {
    const part = { facts: su, holderUid: undefined };
    assert.equal(decided({ ...part, realm: caller }), 'refused su-caller-unknown auth-err');
    assert.equal(decided({ ...part, realm: { ...caller, require: 'none' } }), 'not-needed no-factor');
    assert.equal(
      decided({ ...part, realm: { ...caller, rules: [rule({ kind: 'skip' })] } }),
      'not-needed rule-skip',
    );
  });

  it('of a caller without a factor is refused: the caller gets no grace period here', () => {
    assert.equal(decided({ realm: caller, facts: su }), 'refused no-factor auth-err');
    const running = state({ graceStarted: now - hour });
    assert.equal(decided({ realm: caller, facts: su, state: running }), 'refused no-factor auth-err');
  });

  it('of a caller with a factor asks for it', () => {
    assert.equal(decided({ realm: caller, facts: su, state: state({ factors: [totp] }) }), 'ask t1');
  });
});

describe('every decision', () => {
  const rules = [
    rule({ kind: 'refuse' }, { line: 30, services: ['ftp'] }),
    rule({ kind: 'skip' }, { line: 31, services: ['cron'] }),
    rule({ kind: 'ask' }, { line: 32, services: ['sshd'] }),
  ];
  const strict = realm({ name: 'strict', line: 29, rules });
  for (const [service, factors, line] of [
    ['ftp', [], 30],
    ['cron', [], 31],
    ['sshd', [totp], 32],
    ['login', [totp], 29],
    ['sshd', [], 29],
  ] as const) {
    it(`states its realm, reason, and line ${line} for ${service} with ${factors.length} factors`, () => {
      const decision = decide(
        question({ realm: strict, facts: facts({ service }), state: state({ factors }) }),
      );
      assert.equal(decision.realm, 'strict');
      assert.equal(decision.membershipReason, 'everybody else');
      assert.equal(decision.line, line);
      assert.match(decision.detail, /\w+ \w+/);
    });
  }
});
