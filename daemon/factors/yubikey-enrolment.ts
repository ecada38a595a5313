import { SallyportError } from '../lib/errors.ts';
import { answerFormatOf } from './answers/answer-format.ts';
import type { RejectReason, YubikeyValidation } from './contract.ts';
import { aesKeyBytes, isPublicId, privateIdBytes, publicIdOf } from './encodings/yubikey-otp.ts';

export type NewYubikey =
  /** The YubiKey type, as shown by the OTP in `code`. */
  | { readonly kind: 'yubikey'; readonly validation: 'cloud' }
  | {
      readonly kind: 'yubikey';
      readonly validation: 'local';
      /** Modhex. */
      readonly publicId: string;
      readonly privateId: Buffer;
      /** The AES key. */
      readonly secret: Buffer;
    };

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
export function checkPortable(
  moved: { readonly publicId: string } & (
    | { readonly validation: 'cloud' }
    | {
        readonly validation: 'local';
        readonly privateId: string;
        readonly secret: string;
        readonly lastPress: number;
      }
  ),
): void {
  const wrong = (what: string) => {
    throw new SallyportError('bad-secret', `${what}; check the file`);
  };
  if (!isPublicId(moved.publicId)) wrong('a public id has 2 to 16 modhex symbols (cbdefghijklnrtuv)');
  if (moved.validation === 'cloud') return;
  if (Buffer.from(moved.privateId, 'base64').length !== privateIdBytes) wrong('a private id has 6 bytes');
  if (Buffer.from(moved.secret, 'base64').length !== aesKeyBytes) wrong('an AES key has 16 bytes');
  if (moved.lastPress > highestPress) wrong('the last press is higher than any key gets');
}
