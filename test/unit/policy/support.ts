import type { Config, Realm, Rule } from '../../../daemon/config/contract.ts';
import { defaults, systemPaths } from '../../../daemon/config/defaults.ts';
import type { BypassRecord } from '../../../daemon/factors/bypass.ts';
import type { HotpRecord } from '../../../daemon/factors/hotp.ts';
import type { RecoveryRecord } from '../../../daemon/factors/recovery.ts';
import type { ScratchRecord } from '../../../daemon/factors/scratch.ts';
import type { TotpRecord } from '../../../daemon/factors/totp.ts';
import type { Account, Membership } from '../../../daemon/host/contract.ts';
import type { AccountState, LoginFacts } from '../../../daemon/policy/contract.ts';
import type { DecisionInput } from '../../../daemon/policy/decision.ts';

/** Noon of a day in 2026. */
export const now = Date.UTC(2026, 5, 15, 12);
export const second = 1_000;
export const minute = 60_000;
export const hour = 60 * minute;
export const day = 24 * hour;

export function realm(part: Partial<Realm> = {}): Realm {
  return {
    name: 'everybody',
    line: 10,
    require: 'any',
    enrol: 'refuse',
    totp: defaults.totp,
    yubikey: {},
    webauthn: { userVerification: 'discouraged', residentKey: false },
    lockout: defaults.lockout,
    su: 'target',
    observe: false,
    rules: [],
    ...part,
  };
}

export function members(part: Partial<NonNullable<Realm['members']>>): NonNullable<Realm['members']> {
  return { groups: [], users: [], domains: [], uids: [], ...part };
}

export function rule(action: Rule['action'], part: Partial<Rule> = {}): Rule {
  return { line: 20, action, ...part };
}

export const remember: Rule['action'] = { kind: 'remember', forMs: 15 * minute };

export function config(...realms: readonly Realm[]): Config {
  return {
    file: '/etc/sallyport/sallyport.toml',
    paths: systemPaths,
    adminGroup: 'sallyport-admin',
    issuer: 'host.example',
    secretsIn: [],
    audit: {
      keepForMs: defaults.auditKeepForMs,
      keepEvents: defaults.auditKeepEvents,
      keepBytes: defaults.auditKeepBytes,
    },
    realms,
  };
}

export const alice: Account = { name: 'alice', uid: 1000, gid: 1000 };

const base = { name: 'phone', created: now - day, enabled: true };

export const totp: TotpRecord = {
  ...base,
  id: 't1',
  kind: 'totp',
  secret: Buffer.alloc(20, 1).toString('base64'),
  digits: 6,
  period: 30,
  algorithm: 'sha1',
  lastStep: -1,
  drift: 0,
};
export const hotp: HotpRecord = {
  ...base,
  id: 'h1',
  kind: 'hotp',
  secret: Buffer.alloc(20, 2).toString('base64'),
  digits: 6,
  algorithm: 'sha1',
  counter: 0,
};
export const recovery: RecoveryRecord = {
  ...base,
  id: 'r1',
  kind: 'recovery',
  name: 'paper',
  keyId: 'k1',
  salt: Buffer.alloc(16, 3).toString('base64'),
  hashes: [null, Buffer.alloc(32, 4).toString('base64')],
};
export const scratch: ScratchRecord = {
  ...base,
  id: 's1',
  kind: 'scratch',
  name: 'file',
  keyId: 'k1',
  salt: Buffer.alloc(16, 3).toString('base64'),
  hashes: [null, Buffer.alloc(32, 4).toString('base64')],
  digits: 8,
};
export const spentScratch: ScratchRecord = { ...scratch, id: 's2', hashes: [null] };
/** Issued a minute ago, for an hour. */
export const bypass: BypassRecord = {
  ...base,
  id: 'b1',
  kind: 'bypass',
  name: 'Bypass code',
  created: now - minute,
  keyId: 'k1',
  salt: Buffer.alloc(16, 3).toString('base64'),
  hash: Buffer.alloc(32, 4).toString('base64'),
  until: now + 59 * minute,
};
export const usedUp: RecoveryRecord = { ...recovery, id: 'r2', hashes: [null, null] };
export const disabled = <R extends { readonly enabled: boolean }>(record: R): R => ({
  ...record,
  enabled: false,
});

export function state(part: Partial<AccountState> = {}): AccountState {
  return { factors: [], lock: { codes: 0, any: 0 }, grants: [], ...part };
}

export function facts(part: Partial<LoginFacts> = {}): LoginFacts {
  return {
    service: 'sshd',
    user: 'alice',
    rhost: '203.0.113.5',
    source: '203.0.113.5',
    tty: 'ssh',
    bootId: 'boot-1',
    realUid: 0,
    peerUid: 0,
    firstFactorVerified: true,
    rootSocket: true,
    local: false,
    reachesPerson: true,
    mode: 'prompt',
    ...part,
  };
}

/** A login on a terminal of this machine. */
export function onTerminal(part: Partial<LoginFacts> = {}): LoginFacts {
  const {
    rhost: _rhost,
    source: _source,
    ...rest
  } = facts({ service: 'sudo', tty: '/dev/pts/3', session: '7' });
  return { ...rest, ...part };
}

export const overUserSocket = {
  rootSocket: false,
  firstFactorVerified: false,
  peerUid: 1000,
  realUid: 1000,
} as const;

export function question(part: Partial<DecisionInput> & { readonly realm?: Realm } = {}): DecisionInput {
  const { realm: only = realm(), ...rest } = part;
  return {
    config: config(only),
    account: alice,
    groups: new Map<string, Membership>(),
    holderUid: alice.uid,
    state: state(),
    facts: facts(),
    now,
    ...rest,
  };
}
