import type { ClockOffset, Resync } from '../factors/contract.ts';
import { unreachable } from '../lib/errors.ts';
import { offsetText, pluralise } from '../lib/units.ts';
import { refusals } from '../policy/decision.ts';

/** The texts of refused answers. As in prompt-texts.ts, they hold no escape sequences. */

/** Why an answer was refused, for a user whose first factor is verified, or for an administrator. */
export type RefusalReason =
  | 'wrong'
  | 'resync-required'
  | 'replay'
  | 'clock'
  | 'restored'
  | 'unavailable'
  | 'counter'
  | 'unknown-format'
  | 'codes-locked'
  | 'locked'
  | 'no-factor'
  | 'used-up'
  | 'uid-changed';

/** For an OTP that was typed under a keyboard layout that YubiKeys do not expect. */
export function layoutText(layouts: readonly string[]): string {
  return `That looks like a YubiKey OTP typed under the keyboard layout ${layouts.join(' or ')}, and it belongs to none of your keys. Switch to a layout with Latin letters (English), then touch the key again.`;
}

/**
 * Why a wrong answer was refused.
 *
 * Invariant: a code of the future is never mentioned, since an attacker who guessed one could wait for its time.
 */
export function wrongText({
  reason,
  offset,
  resync,
}: {
  readonly reason: RefusalReason;
  readonly offset?: ClockOffset;
  readonly resync?: Resync;
}): string {
  if (offset === undefined || offset.seconds >= 0 || resync === undefined) return refusalText(reason);
  return `That is ${offsetText(offset.seconds)}: the clock of your device is slow. Wait for its next code and enter that one, then set the clock right.`;
}

/**
 * Why an answer was refused that counts nowhere.
 * @param until restored: when codes are accepted again; milliseconds since the epoch, as `now`
 */
export function uncountedText(
  {
    reason,
    repeats,
    until,
  }: {
    readonly reason: RefusalReason;
    readonly repeats?: 'code' | 'single-use';
    readonly until?: number;
  },
  now: number,
): string {
  if (repeats === 'single-use')
    return 'That was used before, and codes and keys of its kind work only once. Use another one.';
  return refusalText(reason, (until ?? now) - now);
}

/** @param wait restored: milliseconds until codes are accepted again */
export function refusalText(reason: RefusalReason, wait = 0): string {
  switch (reason) {
    case 'wrong':
      return 'Incorrect code.';
    case 'resync-required':
      return 'Correct. The store was restored, so enter the next code as well.';
    case 'replay':
      return 'That code was already used. Wait for the next one.';
    case 'clock':
      return "This machine's clock is behind your last login. Ask your administrator to correct it.";
    case 'restored': {
      const minutes = pluralise(Math.max(1, Math.ceil(wait / 60_000)), 'minute');
      return `The store of this machine was restored a short time ago. Codes are accepted again in ${minutes}.`;
    }
    case 'unavailable':
      return 'YubiKeys cannot be verified right now: their servers do not answer. Use another second factor.';
    case 'counter':
      return "This security key's counter went backwards: it may have been cloned. Tell your administrator.";
    case 'unknown-format':
      return 'Unrecognised format. Check what you typed.';
    case 'codes-locked':
      return 'Too many wrong codes: codes are locked. Use a recovery key, or ask your administrator to unlock.';
    case 'locked':
      return 'Too many wrong answers: the second factor is locked for a while. Ask your administrator to unlock.';
    case 'no-factor':
      return 'No enabled second factor accepts this.';
    case 'used-up':
    case 'uid-changed':
      return refusals[reason].text;
    default:
      return unreachable(reason);
  }
}
