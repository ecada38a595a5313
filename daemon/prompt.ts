import { unreachable } from './errors.ts';
import type { FactorKind, FactorRecord } from './factors/contract.ts';
import { keysLeft } from './factors/recovery.ts';
import type { LoginFacts } from './policy/contract.ts';

/**
 * The texts that a person meets at the login prompt. Texts hold no escape sequences, and no prompt
 * reads "Password:", which sudo would replace by its own.
 */

/** Below this many the user is told after each use. */
const fewRecoveryKeys = 4;

const words: Record<FactorKind, string> = {
  totp: 'verification code',
  hotp: 'verification code',
  yubikey: 'YubiKey OTP',
  webauthn: 'security key',
  u2f: 'security key',
  'ssh-sk': 'security key of ssh',
  recovery: 'recovery key',
};

/** Where we are reached unproven the prompt is the same for everybody. */
export function genericPrompt(mode: LoginFacts['mode']): string {
  return mode === 'prompt' ? 'Second factor: ' : 'Password and second factor: ';
}

/** Names only what this user can use here. */
export function promptFor(
  factors: readonly FactorRecord[],
  mode: LoginFacts['mode'],
  codesLocked: boolean,
): string {
  if (mode !== 'prompt') return genericPrompt(mode);
  const usable = factors.filter((factor) => !codesLocked || factor.kind === 'recovery');
  const names = [...new Set(usable.map((factor) => words[factor.kind]))];
  const text = names.join(' or ') || 'second factor';
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}: `;
}

/** Why an answer was refused, for a person whose password is already proven, or for an admin. */
export type RefusalReason =
  | 'wrong'
  | 'replay'
  | 'clock'
  | 'unavailable'
  | 'counter'
  | 'no-shape'
  | 'codes-locked'
  | 'locked'
  | 'no-factor';

export function refusalText(reason: RefusalReason): string {
  switch (reason) {
    case 'wrong':
      return 'That was not right.';
    case 'replay':
      return 'That code was used before. Wait for the next one.';
    case 'clock':
      return 'The clock of this machine stands before your last login. Ask your administrator to set it right.';
    case 'unavailable':
      return 'YubiKeys cannot be checked right now: their servers do not answer. Use another second factor.';
    case 'counter':
      return 'That security key has counted backwards: there may be a copy of it. Tell your administrator.';
    case 'no-shape':
      return 'That is not the form of a code or key that is in use here.';
    case 'codes-locked':
      return 'Too many wrong codes: codes are locked. Use a recovery key, or ask your administrator to unlock.';
    case 'locked':
      return 'Too many wrong answers: the second factor is locked for a while. Ask your administrator to unlock.';
    case 'no-factor':
      return 'There is no enabled second factor to check this against.';
    default:
      return unreachable(reason);
  }
}

/** What a person should hear after a login; undefined: nothing. */
export function successText(factor: FactorRecord): string | undefined {
  if (factor.kind !== 'recovery') return undefined;
  const left = keysLeft(factor);
  if (left >= fewRecoveryKeys) return undefined;
  if (left === 0) return 'That was your last recovery key. Make a new set now.';
  return `${left} recovery ${left === 1 ? 'key is' : 'keys are'} left. Make a new set soon.`;
}
