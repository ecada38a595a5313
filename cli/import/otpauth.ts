import type { PortableFactor } from '../../daemon/api/account-views.ts';
import { readSeed } from '../../daemon/client/factor-input.ts';
import { ImportError } from './contract.ts';

type Token = Extract<PortableFactor, { kind: 'totp' | 'hotp' }>;

/** A token as its URI describes it, and the account in its label. */
export interface Otpauth {
  readonly token: Token;
  readonly account: string;
}

/** Whether this is a URI of a token, of whatever kind, and no secret by itself. */
export function isTokenUri(text: string): boolean {
  return /^\s*(?:otpauth[a-z-]*|steam):/i.test(text);
}

/**
 * The Key URI format of Google Authenticator. What it does not say is as the format has it, and nothing of it says
 * what is used: the mark is `now`.
 * @throws ImportError what is wrong with it, without anything of the secret
 */
export function readOtpauth(text: string): Otpauth {
  const uri = uriIn(text.trim());
  const { searchParams: query } = uri;
  const kind = uri.host.toLowerCase();
  if (isSteam(uri)) throw new ImportError(steam);
  if (kind !== 'totp' && kind !== 'hotp')
    throw new ImportError(
      'the URI is of a kind that is not known here: otpauth://totp/ and otpauth://hotp/ are',
    );
  const digits = { '6': 6, '7': 7, '8': 8 }[query.get('digits') ?? '6'] as 6 | 7 | 8 | undefined;
  if (digits === undefined)
    throw new ImportError('the URI asks for codes that have neither 6, 7 nor 8 digits');
  const algorithm = (query.get('algorithm') ?? 'sha1').toLowerCase().replace(/^(?:hmac-?)?sha-?/, 'sha');
  if (algorithm !== 'sha1' && algorithm !== 'sha256' && algorithm !== 'sha512')
    throw new ImportError('the URI names an algorithm that is none of SHA1, SHA256 and SHA512');
  const account = accountIn(uri);
  const common = { enabled: true, secret: secretIn(query), digits, algorithm } as const;
  if (kind === 'hotp')
    return { account, token: { ...common, kind, counter: wholeIn(query, 'counter', 0, 0, 2 ** 48) } };
  const period = wholeIn(query, 'period', 30, 15, 300);
  return { account, token: { ...common, kind, period, mark: 'now', drift: 0 } };
}

const steam = 'codes of Steam have five letters and are made in another way; they cannot be used here';

function uriIn(text: string): URL {
  if (/^otpauth-migration:/i.test(text))
    throw new ImportError(
      'that is an export of Google Authenticator, which holds several accounts in a form of its own: turn it into otpauth:// URIs first (extract_otp_secrets does, offline), and give one of them',
    );
  if (/^steam:/i.test(text)) throw new ImportError(steam);
  let uri: URL;
  try {
    uri = new URL(text);
  } catch {
    throw new ImportError('the URI is not complete; copy the whole of it');
  }
  if (uri.protocol !== 'otpauth:') throw new ImportError('that is no otpauth:// URI');
  return uri;
}

function isSteam(uri: URL): boolean {
  return [uri.host, uri.searchParams.get('encoder')].some((one) => one?.toLowerCase() === 'steam');
}

function secretIn(query: URLSearchParams): string {
  try {
    return readSeed(query.get('secret') ?? '').toString('base64');
  } catch (error) {
    throw new ImportError(`its secret cannot be read: ${error instanceof Error ? error.message : ''}`);
  }
}

function wholeIn(query: URLSearchParams, key: string, absent: number, least: number, most: number): number {
  const text = query.get(key) ?? String(absent);
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new ImportError(`its ${key} is no number from ${least} to ${most}`);
}

/** `ISSUER:ACCOUNT` or `ACCOUNT`. Some apps write the colon between the two as %3A. */
function accountIn(uri: URL): string {
  const label = uri.pathname.replace(/^\//, '');
  const colon = label.indexOf(':');
  if (colon >= 0) return decoded(label.slice(colon + 1)).trim();
  const whole = decoded(label);
  const issuer = `${uri.searchParams.get('issuer') ?? ''}:`;
  return (issuer !== ':' && whole.startsWith(issuer) ? whole.slice(issuer.length) : whole).trim();
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ImportError('the label of the URI is not well-formed; copy the whole of it');
  }
}
