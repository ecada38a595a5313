import { readSeed } from '../../daemon/client/factor-input.ts';
import { ImportError } from './contract.ts';
import { isTokenUri, type Otpauth, readOtpauth } from './otpauth.ts';

/** The value of --secret: a plain secret, or a URI with all settings. */
export type GivenSecret =
  | { readonly kind: 'seed'; readonly seed: Buffer }
  | { readonly kind: 'uri'; readonly token: Otpauth['token']; readonly seed: Buffer };

/**
 * Parses Base32, or the URI of an authenticator app with its settings. Errors explain how to convert other forms.
 * @throws ImportError, ControlError without content of the secret
 */
export function readSecret(text: string): GivenSecret {
  if (isTokenUri(text)) {
    const { token } = readOtpauth(text);
    return { kind: 'uri', token, seed: Buffer.from(token.secret, 'base64') };
  }
  if (isHex(text))
    throw new ImportError(
      'the secret is hexadecimal, not Base32; convert it: tr -d " :-" | tr a-f A-F | basenc --base16 -d | base32',
    );
  return { kind: 'seed', seed: readSeed(text) };
}

/** Hex with a digit that Base32 lacks; ambiguous text is read as Base32. */
function isHex(text: string): boolean {
  const digits = text
    .trim()
    .replace(/^0x/i, '')
    .replaceAll(/[\s:-]/g, '');
  return /^(?:[0-9a-f]{2})+$/i.test(digits) && /[0189]/.test(digits);
}
