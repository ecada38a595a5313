import { randomBytes } from 'node:crypto';
import type { FactorSummary, UserView } from '../../daemon/api/views.ts';
import { totp } from './codes.ts';

/** Accounts of the fake portal, in memory. */

export interface FakeFactor extends FactorSummary {
  /** Of TOTP. */
  readonly secret?: Buffer;
  readonly spent?: Set<string>;
  readonly credential?: {
    readonly id: string;
    readonly publicKey: Uint8Array<ArrayBuffer>;
    counter: number;
    readonly transports: readonly string[];
    readonly appId?: string;
  };
  readonly keys?: Set<string>;
}

export interface FakePerson {
  readonly account: string;
  readonly uid: number;
  password: string;
  admin: boolean;
  require: NonNullable<UserView['realm']>['require'];
  validatesYubikeys: boolean;
  factors: FakeFactor[];
  lock: UserView['lock'];
  lastLogin?: UserView['lastLogin'];
  exemption?: UserView['exemption'];
  issuer: string;
}

export class FakeError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, status: number, message: string) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

let nextUid = 1000;

export function newPerson(account: string, given: Partial<FakePerson> = {}): FakePerson {
  nextUid += 1;
  return {
    account,
    uid: nextUid,
    password: `password of ${account}`,
    admin: false,
    require: 'none',
    validatesYubikeys: true,
    factors: [],
    lock: { codes: 0, any: 0 },
    issuer: 'Sallyport login.example.org',
    ...given,
  };
}

/** As the daemon words them. */
export const details: Readonly<Record<string, string>> = {
  bypass: 'one login, until 2026-01-02 03:04 UTC',
  totp: '6 digits, 30 s, SHA-1',
  hotp: '6 digits, by counter, SHA-1',
  webauthn: 'localhost, ES256',
  yubikey: 'vvcccccccclb, validated by servers',
  u2f: 'legacy, made for https://login.example.org: enrol the key again as webauthn, then remove this',
  'ssh-sk': 'sk-ssh-ed25519@openssh.com, SHA256:abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG',
};

export function newFactor(
  kind: FactorSummary['kind'],
  name: string,
  given: Partial<FakeFactor> = {},
): FakeFactor {
  return {
    id: randomBytes(6).toString('hex'),
    kind,
    name,
    created: Date.now(),
    enabled: true,
    detail: details[kind] ?? '',
    ...given,
  };
}

export function newTotp(
  name: string,
  secret: Buffer = randomBytes(20),
  given: Partial<FakeFactor> = {},
): FakeFactor {
  return newFactor('totp', name, { secret, spent: new Set(), ...given });
}

export function newRecovery(keys: readonly string[], given: Partial<FakeFactor> = {}): FakeFactor {
  return newFactor('recovery', 'Recovery keys', {
    keys: new Set(keys),
    left: keys.length,
    detail: `${keys.length} of 10 left`,
    ...given,
  });
}

const recoveryAlphabet = 'ABCDEFGHJKMNPQRSTVWXYZ23456789';

export function tenKeys(): readonly string[] {
  const group = () =>
    Array.from(randomBytes(5), (byte) => recoveryAlphabet.charAt(byte % recoveryAlphabet.length)).join('');
  return Array.from({ length: 10 }, () => [group(), group(), group(), group()].join('-'));
}

/** Whether what was typed is right for any of the person's factors; a code is good once. */
export function acceptsTyped(person: FakePerson, answer: string): boolean {
  return person.factors.some((factor) => {
    if (!factor.enabled) return false;
    if (factor.keys?.delete(answer.trim()) === true) return true;
    if (factor.secret === undefined || factor.spent?.has(answer) === true) return false;
    const right = codeIsRight(factor.secret, answer);
    if (right) factor.spent?.add(answer);
    return right;
  });
}

export function codeIsRight(secret: Buffer, code: string): boolean {
  return [-1, 0, 1].some((step) => totp(secret, { step }) === code);
}

export function viewOf(person: FakePerson, mayAdd: boolean): UserView {
  return {
    account: person.account,
    uid: person.uid,
    realm: { name: 'staff', line: 12, require: person.require, validatesYubikeys: person.validatesYubikeys },
    defaults: { issuer: person.issuer, digits: 6, period: 30, algorithm: 'sha1' },
    factors: person.factors.map(summaryOf),
    mayAdd,
    lock: person.lock,
    remembered: 0,
    created: 1_740_000_000_000,
    ...(person.lastLogin === undefined ? {} : { lastLogin: person.lastLogin }),
    ...(person.exemption === undefined ? {} : { exemption: person.exemption }),
  };
}

export function summaryOf({ secret, spent, credential, keys, ...summary }: FakeFactor): FactorSummary {
  return summary;
}
