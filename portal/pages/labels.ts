import type { FactorSummary, LastLogin, UserLine, UserView } from '../../daemon/api/views.ts';

/** The words of `sallyport factor list` and of docs/reference/factors.md, as a person reads them. */
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

/** "2025-03-01 09:30", where the reader is. */
export function timeText(at: number): string {
  return `${dayText(at)} ${new Date(at).toTimeString().slice(0, 5)}`;
}

/** When, through what and from where; and that only the second factor is known to have been right, if so. */
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

/** Why the realm, or whose account it is, forbids a new factor; undefined: nothing does. */
export function whyNot(kind: AddableKind, user: UserView): string | undefined {
  if (user.uid === 0) return 'The factors of root are changed only by root, at the machine.';
  if (user.uid === undefined) return 'There is no such account any more.';
  if (user.realm === undefined) return user.realmProblem ?? 'No realm can be named for this account.';
  const { require, validatesYubikeys } = user.realm;
  if (kind === 'yubikey' && !validatesYubikeys)
    return `The realm "${user.realm.name}" has no servers that validate a YubiKey. Administrators add one at the machine.`;
  const onlyYubikey = Array.isArray(require) && require.length === 1 && require[0] === 'yubikey';
  if (onlyYubikey && (kind === 'totp' || kind === 'webauthn'))
    return `The realm "${user.realm.name}" takes YubiKey OTP alone.`;
  return undefined;
}

/** How codes of this account's factors are held up; undefined: they are not. */
export function lockText(user: Pick<UserView, 'lock'>, now: number): string | undefined {
  const { lockedUntil, lockedAt, codesLockedAt } = user.lock;
  if (lockedUntil !== undefined && lockedUntil > now)
    return `After too many wrong answers everything is locked until ${timeText(lockedUntil)}.`;
  if (codesLockedAt !== undefined)
    return 'After too many wrong codes, typed codes are locked until a recovery key is used or an administrator unlocks them.';
  if (lockedAt !== undefined && lockedUntil === undefined)
    return 'Everything was locked after too many wrong answers.';
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
/** They stand in for a factor that is lost, and are none by themselves. */
const substitutes: readonly string[] = ['recovery', 'bypass', 'scratch'];

/** Of a line of the list. */
export const hasFactor = (user: Pick<UserLine, 'factors'>): boolean =>
  user.factors.some(({ kind, enabled }) => enabled && !substitutes.includes(kind));

/** What an account lacks of what its realm requires; undefined: nothing, or that is not known. */
export function lackText(user: Pick<UserView, 'realm' | 'factors'>, mine: boolean): string | undefined {
  const { realm } = user;
  if (realm === undefined || realm.require === 'none') return undefined;
  const enabled = user.factors.filter((factor) => factor.enabled && !substitutes.includes(factor.kind));
  const wanted = realm.require === 'any' ? undefined : realm.require.flatMap((kind) => required[kind] ?? []);
  if (enabled.some(({ kind }) => (wanted as readonly string[] | undefined)?.includes(kind) ?? true))
    return undefined;
  const what = requirementText(realm.require);
  return mine
    ? `The realm “${realm.name}” requires ${what}, and you have none that is enabled. Choose Add.`
    : `The realm “${realm.name}” requires ${what}, and this account has none that is enabled.`;
}
