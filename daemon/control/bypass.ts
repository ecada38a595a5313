import * as v from 'valibot';
import { check } from '../api/schema.ts';
import type { EnrolView } from '../api/views.ts';
import { limits } from '../limits.ts';
import type { Handler } from './handlers.ts';

export interface BypassBody {
  /** Milliseconds from now; one hour unless it says otherwise. */
  readonly forMs?: number;
}

/** With the code in clear, "123 456 789", this once. */
export interface BypassView extends EnrolView {
  readonly bypassCode: string;
}

const { shortest, longest, usual } = limits.bypass;
const bypassBody = v.strictObject({
  forMs: v.exactOptional(
    v.pipe(v.number(), v.safeInteger(), v.minValue(shortest), v.maxValue(longest)),
    usual,
  ),
});

/** An admin gives somebody a code for one login; one more takes the place of the one before. */
export const giveBypass: Handler = async ({ verifier }, call): Promise<BypassView> => {
  const { forMs } = check(bypassBody, (await call.body()) ?? {});
  const { actor, account: user = '' } = call;
  const { bypassCode = '', ...added } = await verifier.enrol({
    actor,
    user,
    verify: false,
    kind: 'bypass',
    forMs,
  });
  return { ...added, bypassCode };
};
