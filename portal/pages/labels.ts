import type { FactorSummary, LastLogin, UserLine, UserView } from '../../daemon/api/views.ts';

/** The terms of `sallyport factor list` and of docs/reference/factors.md, for users. */
const kinds: Readonly<Record<FactorSummary['kind'], string>> = {
  totp: 'TOTP',
  hotp: 'HOTP',
  yubikey: 'YubiKey OTP',
  webauthn: 'Security key',
  u2f: 'U2F (legacy)',
  'ssh-sk': 'FIDO key of ssh',
  recovery: 'Recovery keys',
  scratch: 'Scratch codes (legacy)',
  bypass: 'Bypass code',
};

export function kindName(kind: string): string {
  return Object.entries(kinds).find(([known]) => known === kind)?.[1] ?? kind;
}

/** "2025-03-01 09:30", in the reader's time zone. */
export function timeText(at: number): string {
  return `${dayText(at)} ${new Date(at).toTimeString().slice(0, 5)}`;
}

/** When, by which service and from where; and whether only the second factor is known to be correct. */
export function lastLoginText({ at, service, source, firstFactorVerified }: LastLogin): string {
  const from = source === undefined ? '' : `, from ${source}`;
  const doubt = firstFactorVerified === false ? ' (second factor accepted; password not known)' : '';
  return `${timeText(at)}, ${service}${from}${doubt}`;
}

export function timeWithSeconds(at: number): string {
  return `${dayText(at)} ${new Date(at).toTimeString().slice(0, 8)}`;
}

function dayText(at: number): string {
  const day = new Date(at);
  const two = (number: number) => String(number).padStart(2, '0');
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}

/** With a capital letter. */
export const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

export type AddableKind = 'totp' | 'webauthn' | 'recovery' | 'yubikey';

/** Why the realm or the account forbids a new factor; undefined if permitted. */
export function whyNot(kind: AddableKind, user: UserView): string | undefined {
  if (user.uid === 0) return 'Only root can change the factors of root, at the machine.';
  if (user.uid === undefined) return 'The account no longer exists.';
  if (user.realm === undefined) return user.realmProblem ?? 'The realm of this account cannot be determined.';
  const { require, validatesYubikeys } = user.realm;
  if (kind === 'yubikey' && !validatesYubikeys)
    return `The realm "${user.realm.name}" has no YubiKey validation servers. Administrators add YubiKeys at the machine.`;
  const onlyYubikey = Array.isArray(require) && require.length === 1 && require[0] === 'yubikey';
  if (onlyYubikey && (kind === 'totp' || kind === 'webauthn'))
    return `The realm "${user.realm.name}" accepts only YubiKey OTP.`;
  return undefined;
}

/** The lockout of this account; undefined without one. */
export function lockText(user: Pick<UserView, 'lock'>, now: number): string | undefined {
  const { lockedUntil, lockedAt, codesLockedAt } = user.lock;
  if (lockedUntil !== undefined && lockedUntil > now)
    return `All factors are locked until ${timeText(lockedUntil)} after too many wrong answers.`;
  if (codesLockedAt !== undefined)
    return 'Typed codes are locked after too many wrong codes, until a recovery key is used or an administrator unlocks them.';
  if (lockedAt !== undefined && lockedUntil === undefined)
    return 'All factors were locked after too many wrong answers.';
  return undefined;
}

export type FactorState = 'enabled' | 'disabled' | 'locked';

const typed: readonly string[] = ['totp', 'hotp', 'yubikey'];

export function stateOf(factor: FactorSummary, user: Pick<UserView, 'lock'>, now: number): FactorState {
  if (!factor.enabled) return 'disabled';
  const { lockedUntil, codesLockedAt } = user.lock;
  if (lockedUntil !== undefined && lockedUntil > now) return 'locked';
  return codesLockedAt !== undefined && typed.includes(factor.kind) ? 'locked' : 'enabled';
}

export function requirementText(require: NonNullable<UserView['realm']>['require']): string {
  if (require === 'none') return 'no second factor';
  if (require === 'any') return 'a second factor of any kind';
  return require.map(kindName).join(' or ');
}

const required: Readonly<Record<string, readonly FactorSummary['kind'][]>> = {
  totp: ['totp', 'hotp'],
  webauthn: ['webauthn', 'u2f'],
  yubikey: ['yubikey'],
};
/** They replace a lost factor, and do not satisfy a requirement. */
const substitutes: readonly string[] = ['recovery', 'bypass', 'scratch'];

/** For a line of the list. */
export const hasFactor = (user: Pick<UserLine, 'factors'>): boolean =>
  user.factors.some(({ kind, enabled }) => enabled && !substitutes.includes(kind));

/** What the account lacks for its realm's requirement; undefined if nothing, or if unknown. */
export function lackText(user: Pick<UserView, 'realm' | 'factors'>, mine: boolean): string | undefined {
  const { realm } = user;
  if (realm === undefined || realm.require === 'none') return undefined;
  const enabled = user.factors.filter((factor) => factor.enabled && !substitutes.includes(factor.kind));
  const wanted = realm.require === 'any' ? undefined : realm.require.flatMap((kind) => required[kind] ?? []);
  if (enabled.some(({ kind }) => (wanted as readonly string[] | undefined)?.includes(kind) ?? true))
    return undefined;
  const what = requirementText(realm.require);
  return mine
    ? `The realm “${realm.name}” requires ${what}, and you have none enabled. Choose Add.`
    : `The realm “${realm.name}” requires ${what}, and this account has none enabled.`;
}
