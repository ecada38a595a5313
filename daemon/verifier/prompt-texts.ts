import { type FactorRecord, kindOf, kinds } from '../factors/kinds.ts';
import type { LoginFacts } from '../policy/contract.ts';

/**
 * The texts of the login prompt. They hold no escape sequences, and no prompt reads "Password:", which sudo would
 * replace by its own.
 */

/** Shown, the same to every user, while the daemon stops or is upgraded. */
export const stoppingText = 'Sallyport is being restarted. Please try again.';

/** Where we are reached unverified the prompt is the same for everybody. */
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
  return sentence(typedNames(factors, codesLocked) ?? 'second factor');
}

/** "verification code or recovery key": what can be typed here; undefined if nothing. */
export function typedNames(factors: readonly FactorRecord[], codesLocked: boolean): string | undefined {
  const usable = factors.filter((factor) => {
    const { traits, answerFormats } = kindOf(factor);
    const isTyped = answerFormats(factor).some(({ kind }) => kind !== 'assertion');
    return isTyped && !(traits.countsAsCode && codesLocked);
  });
  // In this order, whatever was enrolled first: codes, then their substitutes.
  const inOrder = usable.toSorted((a, b) => placeOf(a) - placeOf(b));
  return [...new Set(inOrder.map((factor) => kindOf(factor).words.answer))].join(' or ') || undefined;
}

function placeOf(factor: FactorRecord): number {
  return Object.keys(kinds).indexOf(factor.kind) + (kindOf(factor).traits.countsAsCode ? 0 : 100);
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}: `;
}

/** What to show a user after a login; undefined if nothing. */
export function successText(factor: FactorRecord): string | undefined {
  return kindOf(factor).afterLogin?.(factor);
}
