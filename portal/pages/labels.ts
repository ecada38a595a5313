import type { LastLogin, UserView } from '../../daemon/api/views.ts';

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
