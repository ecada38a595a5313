import * as v from 'valibot';
import { portableSchema } from '../factors/kinds.ts';
import { limits } from '../limits.ts';
import type { ExportBody, ImportBody } from './account-views.ts';

/** What the files of other systems are turned into on their way here. */

const text = (most: number) => v.pipe(v.string(), v.maxBytes(most));
const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const entry = v.pipe(
  v.strictObject({
    user: v.exactOptional(v.pipe(text(limits.userLength), v.minBytes(1))),
    owner: v.exactOptional(v.pipe(whole, v.maxValue(2 ** 32 - 1))),
    factors: v.pipe(v.array(portableSchema), v.maxLength(limits.movedFactors)),
    lock: v.exactOptional(v.strictObject({ codes: v.boolean(), until: v.exactOptional(whole) })),
  }),
  v.check(({ user, owner }) => user !== undefined || owner !== undefined),
);

export const importBody: v.GenericSchema<unknown, ImportBody> = v.strictObject({
  source: v.pipe(text(32), v.regex(/^[a-z0-9-]+$/)),
  dryRun: v.boolean(),
  entries: v.pipe(v.array(entry), v.maxLength(limits.movedAccounts)),
});
export const exportBody: v.GenericSchema<unknown, ExportBody> = v.strictObject({
  users: v.exactOptional(
    v.pipe(v.array(v.pipe(text(limits.userLength), v.minBytes(1))), v.maxLength(limits.movedAccounts)),
  ),
  after: v.exactOptional(text(limits.userLength)),
});
