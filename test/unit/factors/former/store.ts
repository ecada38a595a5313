import * as v from 'valibot';
import { isPublicId } from '../../../../daemon/factors/encodings/yubikey-otp.ts';
import { limits } from '../../../../daemon/limits.ts';

/** Factors as the store accepted them when one file named the fields of all kinds. */

const time = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const count = time;
const text = v.string();
const base64 = v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]*={0,2}$/));
const algorithm = v.picklist(['sha1', 'sha256', 'sha512']);
const digits = v.picklist([6, 7, 8]);

const seconds = v.pipe(v.number(), v.safeInteger());

/** A press, or -1 for none. */
const lastPress = v.pipe(v.number(), v.safeInteger(), v.minValue(-1));
const publicId = v.pipe(text, v.check(isPublicId));

/** Only after a restore or repair. */
const inDoubt = v.exactOptional(v.literal(true));

const factorBase = {
  id: v.pipe(text, v.minLength(1)),
  name: text,
  created: time,
  lastUsed: v.exactOptional(time),
  enabled: v.boolean(),
};

const credential = {
  credentialId: v.pipe(text, v.regex(/^[A-Za-z0-9_-]+$/)),
  publicKey: base64,
  algorithm: v.picklist(['es256', 'eddsa', 'rs256']),
  /** Four bytes in authenticatorData. */
  counter: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 32 - 1)),
  spent: v.array(base64),
};

const salted = { keyId: v.pipe(text, v.minLength(1)), salt: base64 };
const hashedSet = { ...salted, hashes: v.array(v.nullable(base64)) };

export const formerFactor = v.variant('kind', [
  v.strictObject({
    ...factorBase,
    kind: v.literal('totp'),
    secret: base64,
    digits,
    period: v.pipe(
      v.number(),
      v.integer(),
      v.minValue(limits.totpPeriod.least),
      v.maxValue(limits.totpPeriod.most),
    ),
    algorithm,
    lastStep: v.pipe(v.number(), v.safeInteger(), v.minValue(-1)),
    heldStep: v.exactOptional(count),
    lastOffset: v.exactOptional(v.strictObject({ seconds, at: time })),
    drift: v.pipe(v.number(), v.integer(), v.minValue(-10), v.maxValue(10)),
  }),
  v.strictObject({
    ...factorBase,
    kind: v.literal('hotp'),
    secret: base64,
    digits,
    algorithm,
    counter: count,
    inDoubt,
  }),
  v.variant('validation', [
    v.strictObject({
      ...factorBase,
      kind: v.literal('yubikey'),
      validation: v.literal('local'),
      publicId,
      privateId: base64,
      secret: base64,
      lastPress,
      spent: v.array(base64),
      inDoubt,
    }),
    v.strictObject({
      ...factorBase,
      kind: v.literal('yubikey'),
      validation: v.literal('cloud'),
      publicId,
      spent: v.array(base64),
    }),
  ]),
  v.strictObject({
    ...factorBase,
    ...credential,
    kind: v.literal('webauthn'),
    rpId: text,
    aaguid: v.pipe(text, v.uuid()),
    attested: v.boolean(),
    resident: v.boolean(),
    transports: v.array(text),
  }),
  v.strictObject({
    ...factorBase,
    ...credential,
    kind: v.literal('u2f'),
    appId: text,
    verified: v.boolean(),
  }),
  v.strictObject({
    ...factorBase,
    kind: v.literal('ssh-sk'),
    keyType: v.picklist(['sk-ssh-ed25519@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com']),
    publicKey: base64,
  }),
  v.strictObject({
    ...factorBase,
    ...hashedSet,
    kind: v.literal('recovery'),
    legacy: v.exactOptional(
      v.strictObject({
        scheme: v.literal('proxmox'),
        secret: v.pipe(text, v.regex(/^[0-9a-fA-F]{16}$/)),
      }),
    ),
  }),
  v.strictObject({ ...factorBase, ...hashedSet, kind: v.literal('scratch'), digits: v.literal(8) }),
  v.strictObject({ ...factorBase, ...salted, kind: v.literal('bypass'), hash: base64, until: time }),
]);
