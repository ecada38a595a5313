import { codeAt, sameCode } from './code.ts';
import type { Factor, FactorContext, FactorVerdict, TotpRecord } from './contract.ts';
import type { Shape } from './shape.ts';

/** A clock that is further out is broken; each step of drift is one more code that a thief may use later. */
export const furthestDrift = 10;

/** RFC 6238. The moving factor is the count of periods since 1970, here called step. */
export const totp: Factor<TotpRecord> = {
  kind: 'totp',
  countsAsCode: true,
  usable: () => true,
  takes: (record, shape) => shape.kind === 'code' && shape.text.length === record.digits,
  verify,
};

/*
 * - Only a step above the last-used mark MUST be accepted, and it becomes the mark.
 * - Digits that equal those of a spent step in the window MUST be refused, even where they happen to be
 *   those of a later step as well: whoever watched them once could use them again.
 * - Of two unspent steps with the same digits the later one is taken: the mark covers both.
 * - Every step of the window is computed and compared, so the time taken does not tell which one fits.
 */
function verify(record: TotpRecord, shape: Shape, context: FactorContext): FactorVerdict<TotpRecord> {
  if (shape.kind !== 'code' || shape.text.length !== record.digits) return refused('wrong');
  const center = Math.floor(context.now / 1000 / record.period) + record.drift;
  const newest = center + context.skew;
  let fits = -1;
  let spent = false;
  for (let step = Math.max(0, center - context.skew); step <= newest; step += 1) {
    if (!sameCode(codeAt(record, step), shape.text)) continue;
    if (step > record.lastStep) fits = step;
    else spent = true;
  }
  // Every step of the window is spent: no code of now can be right, and people should hear why.
  const until = heldUntil(record);
  if (until !== undefined && (spent || newest <= record.lastStep))
    return { outcome: 'refused', reason: 'restored', until, ...(spent ? { matches: true } : {}) };
  if (newest < record.lastStep) return refused('clock');
  if (spent) return refused('replay');
  if (fits >= 0) return { outcome: 'accepted', record: movedOn(record, fits, center, context.now) };
  return refused('wrong');
}

/**
 * When the device shows the first code that is accepted again after a restore; milliseconds since the epoch.
 * undefined: no restore holds its codes, or a code was accepted since.
 */
export function heldUntil({ heldStep, lastStep, drift, period }: TotpRecord): number | undefined {
  return heldStep === undefined || heldStep !== lastStep ? undefined : (lastStep + 1 - drift) * period * 1000;
}

/** One success moves the drift by one step at the most: a single late code is no slow clock. */
function movedOn(record: TotpRecord, step: number, center: number, now: number): TotpRecord {
  const drift = record.drift + Math.sign(step - center);
  const { heldStep: _, ...free } = record;
  return {
    ...free,
    lastStep: step,
    drift: Math.max(-furthestDrift, Math.min(furthestDrift, drift)),
    lastUsed: now,
  };
}

function refused(reason: 'wrong' | 'replay' | 'clock'): FactorVerdict<TotpRecord> {
  return { outcome: 'refused', reason };
}
