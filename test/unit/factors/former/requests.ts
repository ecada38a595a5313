import * as v from 'valibot';
import { limits } from '../../../../daemon/limits.ts';

/** The schemas of requests for new factors before the kinds had their own. */

const text = (most: number) => v.pipe(v.string(), v.maxBytes(most));
const code = v.pipe(v.string(), v.minBytes(1), v.maxBytes(limits.answerLength));
const digits = v.picklist([6, 7, 8]);
const algorithm = v.picklist(['sha1', 'sha256', 'sha512']);
const name = v.exactOptional(text(4 * limits.factorNameLength));
const secret = v.pipe(v.string(), v.base64(), v.maxLength(512));
const proof = { name, code: v.exactOptional(code), verify: v.boolean() };

const u2f = {
  kind: v.literal('u2f'),
  credentialId: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]+$/), v.maxLength(limits.credentialIdText)),
  publicKey: secret,
  algorithm: v.picklist(['es256', 'eddsa', 'rs256']),
  appId: text(limits.appIdLength),
  verified: v.boolean(),
};

export const formerCeremony = v.variant('kind', [
  v.strictObject({ kind: v.literal('webauthn'), name }),
  v.strictObject({ ...u2f, name }),
]);
export const formerEnrol = v.variant('kind', [
  v.strictObject({
    kind: v.literal('totp'),
    secret,
    digits,
    period: v.pipe(
      v.number(),
      v.safeInteger(),
      v.minValue(limits.totpPeriod.least),
      v.maxValue(limits.totpPeriod.most),
    ),
    algorithm,
    ...proof,
  }),
  v.strictObject({
    kind: v.literal('hotp'),
    secret,
    digits,
    algorithm,
    counter: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
    ...proof,
  }),
  v.variant('validation', [
    v.strictObject({ kind: v.literal('yubikey'), validation: v.literal('cloud'), ...proof }),
    v.strictObject({
      kind: v.literal('yubikey'),
      validation: v.literal('local'),
      publicId: text(64),
      privateId: secret,
      secret,
      ...proof,
    }),
  ]),
  v.strictObject({ ...u2f, name, verify: v.literal(false) }),
  v.strictObject({ kind: v.literal('ssh-sk'), publicKey: text(limits.sshKeyText), ...proof }),
  v.strictObject({ kind: v.literal('recovery'), ...proof }),
]);

const { shortest, longest, usual } = limits.bypass;
export const formerBypass = v.strictObject({
  forMs: v.exactOptional(
    v.pipe(v.number(), v.safeInteger(), v.minValue(shortest), v.maxValue(longest)),
    usual,
  ),
});
