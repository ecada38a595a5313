import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Config, Realm, Rule, Source } from '../../../daemon/config/contract.ts';
import type { FactorRecord } from '../../../daemon/factors/kinds.ts';
import type { Account, Membership } from '../../../daemon/host/contract.ts';
import type { AccountState, LoginFacts } from '../../../daemon/policy/contract.ts';
import { type Decision, decide } from '../../../daemon/policy/decide.ts';
import type { DecisionInput } from '../../../daemon/policy/decision.ts';
import { fc } from '../../support/property.ts';
import { publicKey, sshSkRecord } from '../../support/ssh-keys.ts';
import {
  config,
  day,
  disabled,
  facts,
  hotp,
  hour,
  minute,
  now,
  onTerminal,
  overUserSocket,
  realm,
  recovery,
  totp,
  usedUp,
} from './support.ts';

/** Random decision inputs: unknown facts, and a clock set back, must never allow more. */

const groupNames = ['staff', 'ops', 'sales'] as const;
const services = ['sshd', 'sudo', 'su', 'login'] as const;
const ten: Source = { kind: 'network', family: 'ipv4', address: '10.0.0.0', prefix: 8 };
const all: Source = { kind: 'network', family: 'ipv4', address: '0.0.0.0', prefix: 0 };
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const some = <T>(...values: T[]) => fc.subarray(values, { minLength: 1 });

const anyRule: fc.Arbitrary<Rule> = fc
  .record({
    services: optional(some(...services)),
    from: optional(some<Source>(ten, all, { kind: 'local' })),
    action: fc.constantFrom<Rule['action']>(
      { kind: 'skip' },
      { kind: 'ask' },
      { kind: 'refuse' },
      { kind: 'remember', forMs: 15 * minute },
      { kind: 'accept', factor: 'ssh-sk' },
    ),
  })
  .map(({ services: names, from, action }) => ({
    line: 1,
    action,
    ...(names !== undefined && { services: names }),
    ...(from !== undefined && { from }),
  }));

const anyRealm: fc.Arbitrary<Realm> = fc
  .record({
    groups: fc.subarray([...groupNames]),
    users: fc.subarray(['alice', 'bob']),
    domains: fc.subarray(['corp']),
    uids: fc.constantFrom([], [{ first: 1000, last: 1500 }]),
    require: fc.constantFrom<Realm['require']>('none', 'any', ['totp'], ['webauthn'], ['yubikey', 'totp']),
    grace: fc.constantFrom({}, { graceMs: 2 * day }, { graceUntil: now + day }),
    su: fc.constantFrom('target' as const, 'caller' as const),
    rules: fc.array(anyRule, { maxLength: 3 }),
  })
  .map(({ groups, users, domains, uids, require, grace, su, rules }) =>
    realm({
      members: { groups, users, domains, uids },
      require,
      enrol: Object.keys(grace).length === 0 ? 'refuse' : 'grace',
      ...grace,
      su,
      rules,
    }),
  );

const anyConfig: fc.Arbitrary<Config> = fc
  .tuple(fc.array(anyRealm, { maxLength: 4 }), anyRealm)
  .map(([realms, last]) => {
    const { members: _, ...catchAll } = last;
    return config(
      ...[...realms, catchAll].map((one, index) => ({ ...one, name: `realm-${index}`, line: index + 1 })),
    );
  });

const anyFactor = fc
  .tuple(fc.constantFrom<FactorRecord>(totp, hotp, recovery, usedUp, sshSkRecord('blue')), fc.boolean())
  .map(([factor, enabled]) => (enabled ? factor : disabled(factor)));

const anyFacts: fc.Arbitrary<LoginFacts> = fc
  .record({
    service: fc.constantFrom(...services),
    where: fc.constantFrom<Partial<LoginFacts> | undefined>(
      { source: '10.1.2.3', rhost: '10.1.2.3' },
      { source: '203.0.113.5', rhost: '203.0.113.5' },
      undefined,
    ),
    local: fc.boolean(),
    firstFactorVerified: fc.boolean(),
    rootSocket: fc.boolean(),
    keys: some('blue', 'green'),
  })
  .map(({ service, where, local, firstFactorVerified, rootSocket, keys }) => ({
    ...(where === undefined ? onTerminal({ local }) : facts(where)),
    service,
    firstFactorVerified,
    sshKeys: keys.map((seed) => publicKey(seed)),
    ...(rootSocket ? {} : overUserSocket),
  }));

const anyState: fc.Arbitrary<AccountState> = fc
  .record({
    factors: fc.array(anyFactor, { maxLength: 3 }),
    codesLocked: fc.boolean(),
    lockedAgo: optional(fc.integer({ min: 0, max: 2 * hour })),
    graceAgo: optional(fc.integer({ min: 0, max: 3 * day })),
    granted: fc.array(
      fc.record({
        realm: fc.constantFrom('realm-0', 'realm-1', 'realm-2'),
        service: fc.constantFrom(...services),
        origin: fc.constantFrom('ip:10.1.2.3', 'ip:203.0.113.5', 'tty:/dev/pts/3 session:7 boot:boot-1'),
        ago: fc.integer({ min: 0, max: 30 * minute }),
      }),
      { maxLength: 6 },
    ),
  })
  .map(({ factors, codesLocked, lockedAgo, graceAgo, granted }) => ({
    factors: factors.map((factor, index) => ({ ...factor, id: `f${index}` })),
    lock: {
      codes: codesLocked ? 8 : 0,
      any: lockedAgo === undefined ? 8 : 100,
      ...(codesLocked && { codesLockedAt: now - hour }),
      ...(lockedAgo !== undefined && { lockedAt: now - lockedAgo }),
    },
    grants: granted.map(({ ago, ...grant }) => ({ ...grant, since: now - ago })),
    ...(graceAgo !== undefined && { graceStarted: now - graceAgo }),
  }));

const anyQuestion: fc.Arbitrary<DecisionInput> = fc.record({
  config: anyConfig,
  account: fc.constantFrom<Account>(
    { name: 'alice', uid: 1000, gid: 1000 },
    { name: 'CORP\\bob', uid: 70_000, gid: 70_000 },
    { name: 'carol', uid: 2000, gid: 2000 },
  ),
  groups: fc
    .tuple(...groupNames.map(() => fc.constantFrom<Membership>('member', 'not-member', 'not-member')))
    .map((each) => new Map(groupNames.map((name, index) => [name, each[index] ?? 'not-member']))),
  holderUid: fc.constant<number | undefined>(1000),
  state: anyState,
  facts: anyFacts,
  now: fc.constant(now),
});

/** Whether `b` allows what `a` does not: passes more easily, or accepts a factor that `a` would not. */
function isLaxer(b: Decision, a: Decision): boolean {
  const rank = { refused: 0, ask: 1, enrol: 2, accept: 2, 'not-needed': 2 };
  if (a.kind !== 'ask' || b.kind !== 'ask') return rank[b.kind] > rank[a.kind];
  const taken = new Set(a.factors.map(({ id }) => id));
  if (b.factors.some(({ id }) => !taken.has(id))) return true;
  return (a.codesLocked && !b.codesLocked) || (b.remember && !a.remember);
}

const offers = (decision: Decision) => decision.kind === 'ask' && decision.remember;

/** How often each kind of decision occurred: a property that only ever sees refusals shows nothing. */
function neverLaxer(
  change: fc.Arbitrary<(question: DecisionInput) => DecisionInput>,
  prepare: (question: DecisionInput) => DecisionInput = (question) => question,
  kinds: readonly Decision['kind'][] = ['refused', 'ask', 'not-needed'],
): void {
  const numRuns = 8000;
  const seen = { refused: 0, ask: 0, enrol: 0, accept: 0, 'not-needed': 0 };
  let changed = 0;
  fc.assert(
    fc.property(anyQuestion.map(prepare), change, (question, changeIt) => {
      const before = decide(question);
      const after = decide(changeIt(question));
      seen[before.kind]++;
      if (after.kind !== before.kind || offers(after) !== offers(before)) changed++;
      assert.ok(!isLaxer(after, before), `${before.kind} became ${after.kind}: ${after.detail}`);
    }),
    { numRuns },
  );
  for (const kind of kinds) assert.ok(seen[kind] > numRuns / 50, `${kind}: ${seen[kind]}`);
  assert.ok(changed > 10, `only ${changed} decisions changed`);
}

describe('unknown facts never make a decision less strict', () => {
  it('a group that does not resolve, instead of "not a member"', () => {
    neverLaxer(
      fc.subarray([...groupNames], { minLength: 1 }).map((lost) => (question) => {
        const groups = new Map(question.groups);
        for (const name of lost) if (groups.get(name) === 'not-member') groups.set(name, 'unresolved');
        return { ...question, groups };
      }),
    );
  });

  it('an unavailable directory service: every group unresolved, or not even looked up', () => {
    neverLaxer(
      fc.boolean().map((isAsked) => (question) => {
        const lost = groupNames.map((name): [string, Membership] => [name, 'unresolved']);
        const next = decide({ ...question, groups: new Map(isAsked ? lost : []) });
        // If membership in a strict realm was lost as well, the answer is a refusal and no other realm.
        if (next.kind !== 'refused' || next.why !== 'groups-unresolved') {
          assert.equal(next.realm, decide(question).realm);
        }
        return { ...question, groups: new Map(isAsked ? lost : []) };
      }),
    );
  });

  it('a caller of su without an account', () => {
    neverLaxer(
      fc.constant((question) => {
        const { su } = question.config.realms.find(({ name }) => name === decide(question).realm) ?? {
          su: 'target',
        };
        const isCaller = su === 'caller' && question.facts.service === 'su' && question.facts.rootSocket;
        if (!isCaller) return question;
        const next = {
          ...question,
          holderUid: undefined,
          state: { factors: [], lock: { codes: 0, any: 0 }, grants: [] },
        };
        // Without an account there is no factor: if nothing is required, the login is allowed, as the design says.
        return decide(next).kind === 'not-needed' ? question : next;
      }),
    );
  });

  it('another uid under the name, if the record contains a factor', () => {
    neverLaxer(
      fc.constant((question) => {
        const { state } = question;
        return state.factors.length === 0 ? question : { ...question, state: { ...state, uid: 999 } };
      }),
    );
  });

  it('an unknown session or tty', () => {
    const remembered = (question: DecisionInput): DecisionInput => {
      const grants = question.config.realms.map(({ name }) => ({
        realm: name,
        service: 'sudo',
        origin: 'tty:/dev/pts/3 session:7 boot:boot-1',
        since: now - minute,
      }));
      return { ...question, facts: onTerminal(), state: { ...question.state, grants } };
    };
    neverLaxer(
      fc.constantFrom('tty' as const, 'session' as const).map((key) => (question) => {
        const { [key]: _, ...rest } = question.facts;
        return { ...question, facts: rest };
      }),
      remembered,
    );
  });

  /** If an ssh key does not count, it is as if it did not exist; if that allows the login, so be it. */
  const unlessWithoutKeys = (question: DecisionInput, next: DecisionInput): DecisionInput => {
    const factors = question.state.factors.filter(({ kind }) => kind !== 'ssh-sk');
    const without = decide({ ...question, state: { ...question.state, factors } });
    return without.kind === 'not-needed' ? question : next;
  };

  /** sshd has verified keys, and usually a rule accepts them. */
  const accepting: Rule = { line: 1, action: { kind: 'accept', factor: 'ssh-sk' } };
  const accepted = (question: DecisionInput): DecisionInput => {
    const realms = question.config.realms.map((one, index) =>
      index % 2 === 0 ? { ...one, rules: [accepting, ...one.rules] } : one,
    );
    const facts = { ...question.facts, service: 'sshd', firstFactorVerified: true, rootSocket: true };
    const { grants, factors } = question.state;
    const more = grants.length % 2 === 0 ? [sshSkRecord('blue')] : [];
    const state = { ...question.state, factors: [...factors, ...more] };
    return { ...question, config: { ...question.config, realms }, facts, state };
  };

  it('a key that sshd does not report', () => {
    neverLaxer(
      fc.constant((question) => {
        const { sshKeys: _, ...facts } = question.facts;
        return unlessWithoutKeys(question, { ...question, facts });
      }),
      accepted,
      ['refused', 'ask', 'accept', 'not-needed'],
    );
  });

  /** The source of the login was known, and is now unknown. Only an address is ever replaced by a host name. */
  const withoutSource = (rhost: string | undefined) => (question: DecisionInput) => {
    if (rhost !== undefined && question.facts.source === undefined) return question;
    const { source: _source, rhost: _rhost, ...rest } = question.facts;
    const facts = { ...rest, local: false, ...(rhost === undefined ? {} : { rhost }) };
    return unlessWithoutKeys(question, { ...question, facts });
  };

  it('a host name instead of an address', () => {
    neverLaxer(fc.constantFrom('host.example', 'localhost', '10.0.0.0.example').map(withoutSource));
  });

  it('an address or a seat that is not reported', () => {
    neverLaxer(fc.constant(withoutSource(undefined)));
  });

  it('a host name, where most rules refuse from some sources', () => {
    neverLaxer(fc.constant(withoutSource('host.example')), (question) => {
      const refusing: Rule = { line: 1, from: [ten], action: { kind: 'refuse' } };
      const realms = question.config.realms.map((one, index) =>
        index % 2 === 0 ? { ...one, rules: [refusing, ...one.rules] } : one,
      );
      return { ...question, config: { ...question.config, realms } };
    });
  });

  it('a disabled ssh key among other factors', () => {
    neverLaxer(
      fc.constant((question) => {
        const factors = [...question.state.factors, { ...disabled(sshSkRecord('blue')), id: 'more' }];
        return { ...question, state: { ...question.state, factors } };
      }),
      accepted,
      ['refused', 'ask', 'accept', 'not-needed'],
    );
  });

  it('a first factor that is not verified', () => {
    neverLaxer(
      fc.constant((question) =>
        unlessWithoutKeys(question, {
          ...question,
          facts: { ...question.facts, firstFactorVerified: false },
        }),
      ),
    );
  });
});

describe('a clock set back never makes a decision less strict', () => {
  it('to before the start of whatever is in progress', () => {
    neverLaxer(
      fc.integer({ min: 0, max: 30 * day }).map((more) => (question) => {
        const { state } = question;
        // A date is the same for all accounts and has no separate start before the first login with a verified first
        // factor.
        const starts = [
          ...state.grants.map(({ since }) => since),
          state.graceStarted ?? now,
          state.lock.lockedAt ?? now,
        ];
        const isDated = question.config.realms.some(({ graceUntil }) => graceUntil !== undefined);
        if (isDated && state.graceStarted === undefined) return question;
        return { ...question, now: Math.min(...starts, now) - 1 - more };
      }),
    );
  });
});
