import { hotp } from '../codes.ts';
import {
  type Account,
  type Expected,
  type Factor,
  failures,
  grantKey,
  type Login,
  lockNow,
  lookAhead,
  span,
} from './reference.ts';

/** What one typed answer comes to. */
export type Outcome =
  | { readonly kind: 'accepted'; readonly factor: Factor; readonly use: () => void }
  /** No factor that may be used has answers of this form: it counts nowhere. */
  | { readonly kind: 'no-form' }
  | { readonly kind: 'codes-locked' }
  /** counts: whether it counts with typed codes, with all failures only, not at all, or is left open. */
  | {
      readonly kind: 'wrong';
      readonly counts: 'code' | 'any' | 'no' | 'open';
      /** It is a code of a restored factor's device: what other factors make of it does not count. */
      readonly isHeld?: true;
    }
  /** A restored factor: it may be accepted or refused, but never accepted twice. */
  | { readonly kind: 'open'; readonly factor: Factor; readonly use: () => void };

type Asked = Expected & { kind: 'ask' };

export const stepAt = (now: number): number => Math.floor(now / span.period);
export const totpCode = (seed: Buffer, step: number): string => hotp(seed, step);
/** Eight digits, so that no code of one kind is one of the other. */
export const hotpCode = (seed: Buffer, counter: number): string => hotp(seed, counter, 8);

type Form = Factor['kind'] | undefined;

function formOf(text: string): Form {
  if (/^\d{6}$/.test(text)) return 'totp';
  if (/^\d{8}$/.test(text)) return 'hotp';
  if (/^\d{9}$/.test(text)) return 'bypass';
  return /^[2-9a-hj-km-np-z]{20}$/.test(text) ? 'recovery' : undefined;
}

const bare = (text: string): string => text.replaceAll(/[- ]/g, '').toLowerCase();

/** Pure: `use` of the outcome changes the account. */
export function evaluated(asked: Asked, typed: string, now: number): Outcome {
  const text = bare(typed);
  const form = formOf(text);
  const factors = asked.factors.filter(({ kind }) => kind === form);
  if (factors.length === 0) return { kind: 'no-form' };
  if (form !== 'recovery' && asked.codesLocked) return { kind: 'codes-locked' };
  const outcomes = factors.map((factor) => byFactor(factor, text, now));
  const first =
    outcomes.find(({ kind }) => kind === 'accepted') ?? outcomes.find(({ kind }) => kind === 'open');
  return first ?? worst(outcomes);
}

/** What counts nowhere must be the word of every factor that was asked, unless one knows it for its device's. */
function worst(outcomes: readonly Outcome[]): Outcome {
  const wrong = outcomes.flatMap((one) => (one.kind === 'wrong' ? [one] : []));
  return (
    wrong.find(({ isHeld }) => isHeld) ??
    wrong.find(({ counts }) => counts === 'code' || counts === 'any') ??
    wrong.find(({ counts }) => counts === 'open') ??
    wrong[0] ?? { kind: 'no-form' }
  );
}

function byFactor(factor: Factor, text: string, now: number): Outcome {
  switch (factor.kind) {
    case 'totp':
      return byTotp(factor, text, now);
    case 'hotp':
      return byHotp(factor, text);
    case 'recovery': {
      const key = factor.keys.find((each) => bare(each) === text);
      if (key === undefined) return { kind: 'wrong', counts: 'any' };
      // A key that was used once: refused, and whether that is a guess is not the reference's business.
      if (factor.used.has(key)) return { kind: 'wrong', counts: 'open' };
      return right(factor, () => factor.used.add(key));
    }
    case 'bypass':
      // Only one that is still valid is asked for; using it removes it (after).
      return text === bare(factor.code) ? right(factor, () => undefined) : { kind: 'wrong', counts: 'code' };
  }
}

/** @param isSure whatever was used before the restore: it is accepted */
function right(factor: Factor, use: () => void, isSure = false): Outcome {
  return { kind: factor.doubt && !isSure ? 'open' : 'accepted', factor, use };
}

/** So many steps after a restore every TOTP code is good again. */
const restoredAhead = 12;

function byTotp(factor: Factor & { kind: 'totp' }, text: string, now: number): Outcome {
  const center = stepAt(now);
  const steps = [center - 1, center, center + 1].filter((step) => totpCode(factor.seed, step) === text);
  const fresh = steps.filter((step) => step > factor.lastStep);
  if (steps.length > 0 && fresh.length === steps.length)
    return right(
      factor,
      () => {
        factor.lastStep = Math.max(...fresh);
      },
      center - 1 > stepAt(factor.restoredAt ?? 0) + restoredAhead,
    );
  if (factor.doubt && steps.length > 0) return { kind: 'wrong', counts: 'open', isHeld: true };
  // Below the mark with its whole window: the clock stands behind, and no code can be right.
  if (center + 1 < factor.lastStep || factor.doubt)
    return { kind: 'wrong', counts: factor.doubt ? 'open' : 'no' };
  if (steps.length > 0) return { kind: 'wrong', counts: 'open' };
  // An older or a later one may be known for what it is.
  return { kind: 'wrong', counts: isKnown(factor, text, center) ? 'open' : 'code' };
}

function isKnown({ seed }: Factor & { kind: 'totp' }, text: string, center: number): boolean {
  return Array.from({ length: 401 }, (_, index) => center - 200 + index).some(
    (step) => totpCode(seed, step) === text,
  );
}

function byHotp(factor: Factor & { kind: 'hotp' }, text: string): Outcome {
  for (let counter = factor.counter; counter <= factor.counter + lookAhead; counter += 1)
    if (hotpCode(factor.seed, counter) === text)
      return right(factor, () => {
        factor.counter = counter + 1;
      });
  if (factor.doubt) return { kind: 'wrong', counts: 'open' };
  for (let counter = Math.max(0, factor.counter - 20); counter < factor.counter; counter += 1)
    if (hotpCode(factor.seed, counter) === text) return { kind: 'wrong', counts: 'open' };
  return { kind: 'wrong', counts: 'code' };
}

/** What an accepted answer leaves in the account. */
export function after(account: Account, outcome: Outcome & { kind: 'accepted' | 'open' }): void {
  const { factor } = outcome;
  outcome.use();
  factor.doubt = false;
  if (factor.kind === 'bypass') account.factors = account.factors.filter((each) => each !== factor);
  const { codesLockedAt } = account.lock;
  const lifts = factor.kind === 'recovery' || codesLockedAt === undefined;
  account.lock = { codes: 0, any: 0, ...(lifts ? {} : { codesLockedAt }) };
}

/** What a login that was let in by an answer leaves beside that. */
export function remembered(account: Account, asked: Asked, login: Login, factor: Factor, now: number): void {
  if (!asked.remembers || factor.kind === 'bypass') return;
  for (const [key, since] of account.grants) if (since > now) account.grants.delete(key);
  account.grants.set(grantKey(asked.realm, login), now);
}

/** One failure more. */
export function counted(account: Account, counts: 'code' | 'any', now: number): void {
  const lock = lockNow(account, now);
  const isLocked = lock.lockedAt !== undefined || (counts === 'code' && lock.codesLockedAt !== undefined);
  if (isLocked) {
    account.lock = lock;
    return;
  }
  const any = lock.any + 1;
  const codes = lock.codes + (counts === 'code' ? 1 : 0);
  account.lock = {
    ...lock,
    codes,
    any,
    ...(counts === 'code' && codes >= failures.codes ? { codesLockedAt: now } : {}),
    ...(any >= failures.all ? { lockedAt: now } : {}),
  };
}
