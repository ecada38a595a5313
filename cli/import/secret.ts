import { readSeed } from '../../daemon/client/factor-input.ts';
import { ImportError } from './contract.ts';
import { isTokenUri, type Otpauth, readOtpauth } from './otpauth.ts';

/** What somebody gave as the secret of a token: the secret only, or a URI that says all of the token. */
export type GivenSecret =
  | { readonly kind: 'seed'; readonly seed: Buffer }
  | { readonly kind: 'uri'; readonly token: Otpauth['token']; readonly seed: Buffer };

/**
 * Base32, or the URI of an authenticator app with its parameters. Other forms are named, with how to bring them.
 * @throws ImportError, ControlError without anything of the secret
 */
export function readSecret(text: string): GivenSecret {
  if (isTokenUri(text)) {
    const { token } = readOtpauth(text);
    return { kind: 'uri', token, seed: Buffer.from(token.secret, 'base64') };
  }
  if (isHex(text))
    throw new ImportError(
      'that is hex, and the secret is wanted in Base32; turn it into that with: tr -d " :-" | tr a-f A-F | basenc --base16 -d | base32',
    );
  return { kind: 'seed', seed: readSeed(text) };
}

/** Hex with a digit that Base32 does not have: without one it may be either, and is Base32. */
function isHex(text: string): boolean {
  const digits = text
    .trim()
    .replace(/^0x/i, '')
    .replaceAll(/[\s:-]/g, '');
  return /^(?:[0-9a-f]{2})+$/i.test(digits) && /[0189]/.test(digits);
}
