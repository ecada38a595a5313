import type { PortableFactor } from '../../daemon/api/account-views.ts';
import { otpauthUri, readSeed } from '../../daemon/client/factor-input.ts';
import { ImportError } from './contract.ts';

type Token = Extract<PortableFactor, { kind: 'totp' | 'hotp' }>;

/** A factor as described by its URI, and the account of its label. */
export interface Otpauth {
  readonly token: Token;
  readonly account: string;
}

/** Whether this is a URI of any kind, not a plain secret. */
export function isTokenUri(text: string): boolean {
  return /^\s*(?:otpauth[a-z-]*|steam):/i.test(text);
}

/**
 * The Key URI format of Google Authenticator, with the defaults of the format. It does not contain used codes, so the
 * last-used counter is `now`.
 * @throws ImportError without content of the secret
 */
export function readOtpauth(text: string): Otpauth {
  const uri = uriIn(text.trim());
  const { searchParams: query } = uri;
  const kind = uri.host.toLowerCase();
  if (isSteam(uri)) throw new ImportError(steam);
  if (kind !== 'totp' && kind !== 'hotp')
    throw new ImportError('unknown kind of URI; supported: otpauth://totp/ and otpauth://hotp/');
  const digits = { '6': 6, '7': 7, '8': 8 }[query.get('digits') ?? '6'] as 6 | 7 | 8 | undefined;
  if (digits === undefined) throw new ImportError('digits in the URI must be 6, 7 or 8');
  const algorithm = (query.get('algorithm') ?? 'sha1').toLowerCase().replace(/^(?:hmac-?)?sha-?/, 'sha');
  if (algorithm !== 'sha1' && algorithm !== 'sha256' && algorithm !== 'sha512')
    throw new ImportError('the algorithm in the URI must be SHA1, SHA256 or SHA512');
  const account = accountIn(uri);
  const common = { enabled: true, secret: secretIn(query), digits, algorithm } as const;
  if (kind === 'hotp')
    return { account, token: { ...common, kind, counter: wholeIn(query, 'counter', 0, 0, 2 ** 48) } };
  const period = wholeIn(query, 'period', 30, 15, 300);
  return { account, token: { ...common, kind, period, mark: 'now', drift: 0 } };
}

/** The URI of a factor that is exported; undefined if apps have none for its kind, or it is disabled. */
export function uriOf(account: string, factor: PortableFactor, issuer: string): string | undefined {
  if ((factor.kind !== 'totp' && factor.kind !== 'hotp') || !factor.enabled) return undefined;
  const { digits, algorithm } = factor;
  const common = { issuer, account, seed: Buffer.from(factor.secret, 'base64'), digits, algorithm };
  return factor.kind === 'totp'
    ? otpauthUri({ ...common, kind: factor.kind, period: factor.period })
    : otpauthUri({ ...common, kind: factor.kind, counter: factor.counter });
}

const steam = 'Steam codes are not supported; add another factor';

function uriIn(text: string): URL {
  if (/^otpauth-migration:/i.test(text))
    throw new ImportError(
      'this is a Google Authenticator export of several accounts; convert it to otpauth:// URIs first (for example offline with extract_otp_secrets), and enter one of them',
    );
  if (/^steam:/i.test(text)) throw new ImportError(steam);
  let uri: URL;
  try {
    uri = new URL(text);
  } catch {
    throw new ImportError('the URI is incomplete; copy all of it');
  }
  if (uri.protocol !== 'otpauth:') throw new ImportError('not an otpauth:// URI');
  return uri;
}

function isSteam(uri: URL): boolean {
  return [uri.host, uri.searchParams.get('encoder')].some((one) => one?.toLowerCase() === 'steam');
}

function secretIn(query: URLSearchParams): string {
  try {
    return readSeed(query.get('secret') ?? '').toString('base64');
  } catch (error) {
    throw new ImportError(`cannot read its secret: ${error instanceof Error ? error.message : ''}`);
  }
}

function wholeIn(query: URLSearchParams, key: string, absent: number, least: number, most: number): number {
  const text = query.get(key) ?? String(absent);
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new ImportError(`${key} in the URI must be a number from ${least} to ${most}`);
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
    throw new ImportError('the label of the URI is malformed; copy all of it');
  }
}
