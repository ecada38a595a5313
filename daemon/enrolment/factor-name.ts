import type { FactorRecord, KindName } from '../factors/kinds.ts';
import { kindOf } from '../factors/kinds.ts';
import { SallyportError } from '../lib/errors.ts';
import { limits } from '../limits.ts';

/** @throws SallyportError `bad-name`, `name-taken` */
export function nameFor(
  request: { readonly kind: KindName; readonly name?: string },
  kept: readonly FactorRecord[],
): string {
  if (request.name !== undefined) return checkedName(request.name, kept);
  return freeName(kindOf(request).words.name, kept);
}

/** The name that another system gave, adjusted: without invalid characters, and with a number if taken. */
export function fittingName(
  request: { readonly kind: KindName; readonly name?: string },
  kept: readonly FactorRecord[],
): string {
  const cleaned = (request.name ?? '').normalize('NFC').replaceAll(forbidden, ' ').trim();
  // Leaves space for a number at the end.
  const short = [...cleaned]
    .slice(0, limits.factorNameLength - 4)
    .join('')
    .trim();
  return freeName(short === '' ? kindOf(request).words.name : short, kept);
}

function freeName(wanted: string, kept: readonly FactorRecord[]): string {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? wanted : `${wanted} ${number}`;
    if (!isTaken(name, kept)) return name;
  }
}

const forbidden = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu;

function isTaken(name: string, factors: readonly FactorRecord[]): boolean {
  return factors.some((factor) => factor.name.toLowerCase() === name.toLowerCase() || factor.id === name);
}

/**
 * A name for a factor, as a user chose it ("pixel-7 authy").
 * @param others the factors that must not have it already
 * @throws SallyportError `bad-name`, `name-taken`
 */
export function checkedName(name: string, others: readonly FactorRecord[]): string {
  const trimmed = name.normalize('NFC').trim();
  const length = [...trimmed].length;
  if (length === 0 || length > limits.factorNameLength || trimmed.search(forbidden) >= 0)
    throw new SallyportError(
      'bad-name',
      `a name has 1 to ${limits.factorNameLength} characters and no control characters; choose another`,
    );
  if (isTaken(trimmed, others))
    throw new SallyportError(
      'name-taken',
      `the account has a factor "${trimmed}" already; choose another name`,
    );
  return trimmed;
}
