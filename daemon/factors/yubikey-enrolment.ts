import * as v from 'valibot';
import { SallyportError } from '../lib/errors.ts';
import { answerFormatOf } from './answers/answer-format.ts';
import type { RejectReason, YubikeyValidation } from './contract.ts';
import { aesKeyBytes, isPublicId, privateIdBytes, publicIdOf } from './encodings/yubikey-otp.ts';
import { countOrNone, type Infer, portableBase, portableSecret, requestSecret } from './fields.ts';

export const yubikeyRequest = v.variant('validation', [
  /** By the servers of the realm; its code is a touch. */
  v.strictObject({ kind: v.literal('yubikey'), validation: v.literal('cloud') }),
  v.strictObject({
    kind: v.literal('yubikey'),
    validation: v.literal('local'),
    /** Modhex. */
    publicId: v.pipe(v.string(), v.maxBytes(64)),
    privateId: requestSecret,
    /** The AES key. */
    secret: requestSecret,
  }),
]);
export type NewYubikey = Infer<typeof yubikeyRequest>;

const portableKey = {
  ...portableBase,
  kind: v.literal('yubikey'),
  publicId: v.pipe(v.string(), v.regex(/^[cbdefghijklnrtuv]{2,16}$/)),
};
export const yubikeyPortable = v.variant('validation', [
  v.strictObject({ ...portableKey, validation: v.literal('cloud') }),
  v.strictObject({
    ...portableKey,
    validation: v.literal('local'),
    privateId: portableSecret,
    secret: portableSecret,
    lastPress: countOrNone,
  }),
]);
export type PortableYubikey = Infer<typeof yubikeyPortable>;

/** The YubiKey in a request, not validated. */
export function requested(request: NewYubikey, code: Buffer | undefined) {
  const { kind } = request;
  const common = { kind, enabled: true } as const;
  if (request.validation === 'cloud')
    return { ...common, validation: 'cloud', publicId: touchedId(code) } as const;
  const { publicId } = request;
  const privateId = request.privateId.toString('base64');
  const secret = request.secret.toString('base64');
  return { ...common, validation: 'local', publicId, privateId, secret, lastPress: -1 } as const;
}

function touchedId(code: Buffer | undefined): string {
  const format = answerFormatOf(code ?? Buffer.alloc(0), new Set());
  return format.kind === 'yubikey' ? publicIdOf(format.text) : '';
}

/** @throws SallyportError `wrong-code`, `bad-secret` */
export function checkRequested(request: NewYubikey, publicId: string): void {
  const wrong = (what: string) => {
    throw new SallyportError('bad-secret', `${what}; copy it as shown by the tool that programmed the key`);
  };
  if (request.validation === 'cloud' && publicId === '')
    throw new SallyportError('wrong-code', 'not a YubiKey OTP; touch the key');
  if (!isPublicId(publicId)) wrong('the public id has 2 to 16 modhex symbols (cbdefghijklnrtuv)');
  if (request.validation === 'cloud') return;
  if (request.privateId.length !== privateIdBytes) wrong('the private id has 12 hex digits');
  if (request.secret.length !== aesKeyBytes) wrong('the AES key has 32 hex digits');
}

export function refusedTouch(validation: YubikeyValidation, reason: RejectReason): SallyportError {
  if (reason === 'unavailable')
    return new SallyportError(
      'validation-unavailable',
      'the validation servers gave no verdict; the log of sallyportd says why, and `yubikey` in the realm which they are',
    );
  if (reason === 'replay')
    return new SallyportError(
      'wrong-code',
      'that press, or a later one, was already used; touch the key again',
    );
  const what =
    validation === 'local' ? 'check public id, private id and AES key' : 'its servers do not know it';
  return new SallyportError('wrong-code', `not an OTP of this key; ${what}`);
}

/** 15 bits of use counter and 8 of session counter. */
export const highestPress = 0x7f_ffff;

/** @throws SallyportError `bad-secret` */
export function checkPortable(moved: PortableYubikey): void {
  const wrong = (what: string) => {
    throw new SallyportError('bad-secret', `${what}; check the file`);
  };
  if (!isPublicId(moved.publicId)) wrong('a public id has 2 to 16 modhex symbols (cbdefghijklnrtuv)');
  if (moved.validation === 'cloud') return;
  if (Buffer.from(moved.privateId, 'base64').length !== privateIdBytes) wrong('a private id has 6 bytes');
  if (Buffer.from(moved.secret, 'base64').length !== aesKeyBytes) wrong('an AES key has 16 bytes');
  if (moved.lastPress > highestPress) wrong('the last press is higher than any key gets');
}
