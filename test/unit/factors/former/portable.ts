import * as v from 'valibot';
import { isScratchCode } from '../../../../daemon/factors/scratch.ts';
import { limits } from '../../../../daemon/limits.ts';

/** Imported factors as they were accepted when one file named the fields of all kinds. */

const period = limits.totpPeriod;
const text = (most: number) => v.pipe(v.string(), v.maxBytes(most));
const secret = v.pipe(v.string(), v.base64(), v.maxLength(1_024));
const digits = v.picklist([6, 7, 8]);
const algorithm = v.picklist(['sha1', 'sha256', 'sha512']);
const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const lastOne = v.pipe(v.number(), v.safeInteger(), v.minValue(-1));
const base = {
  name: v.exactOptional(text(limits.movedNameLength)),
  created: v.exactOptional(whole),
  enabled: v.boolean(),
};
const publicId = v.pipe(v.string(), v.regex(/^[cbdefghijklnrtuv]{2,16}$/));
const credential = {
  credentialId: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]+$/), v.maxLength(limits.credentialIdText)),
  publicKey: secret,
  algorithm: v.picklist(['es256', 'eddsa', 'rs256']),
};

export const formerPortable = v.variant('kind', [
  v.strictObject({
    ...base,
    kind: v.literal('totp'),
    secret,
    digits,
    period: v.pipe(v.number(), v.safeInteger(), v.minValue(period.least), v.maxValue(period.most)),
    algorithm,
    mark: v.union([lastOne, v.literal('now')]),
    drift: v.pipe(v.number(), v.safeInteger()),
  }),
  v.strictObject({ ...base, kind: v.literal('hotp'), secret, digits, algorithm, counter: whole }),
  v.variant('validation', [
    v.strictObject({ ...base, kind: v.literal('yubikey'), validation: v.literal('cloud'), publicId }),
    v.strictObject({
      ...base,
      kind: v.literal('yubikey'),
      validation: v.literal('local'),
      publicId,
      privateId: secret,
      secret,
      lastPress: lastOne,
    }),
  ]),
  v.strictObject({
    ...base,
    ...credential,
    kind: v.literal('u2f'),
    appId: text(limits.appIdLength),
    verified: v.boolean(),
  }),
  v.strictObject({
    ...base,
    ...credential,
    kind: v.literal('webauthn'),
    counter: v.pipe(whole, v.maxValue(2 ** 32 - 1)),
    rpId: text(limits.appIdLength),
  }),
  v.strictObject({
    ...base,
    kind: v.literal('scratch'),
    codes: v.pipe(v.array(v.pipe(v.string(), v.check(isScratchCode))), v.maxLength(limits.movedCodes)),
  }),
  v.strictObject({
    ...base,
    kind: v.literal('recovery'),
    secret: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/i)),
    hashes: v.pipe(
      v.array(v.nullable(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/i)))),
      v.maxLength(limits.movedCodes),
    ),
  }),
]);
