import type { MovedFactor } from '../../daemon/control/moving-views.ts';
import { readSeed } from '../../daemon/control/token.ts';

type Token = Extract<MovedFactor, { kind: 'totp' | 'hotp' }>;

/**
 * The Key URI format of Google Authenticator. Nothing of it says what is spent: the mark is `now`.
 * @returns undefined: it is none, or one of which no code could be typed here
 */
export function readOtpauth(text: string): Token | undefined {
  let uri: URL;
  try {
    uri = new URL(text);
  } catch {
    return undefined;
  }
  const { searchParams: query, host } = uri;
  if (uri.protocol !== 'otpauth:') return undefined;
  const digits = { '6': 6, '7': 7, '8': 8 }[query.get('digits') ?? '6'] as 6 | 7 | 8 | undefined;
  const algorithm = (query.get('algorithm') ?? 'sha1').toLowerCase();
  const isKnown = algorithm === 'sha1' || algorithm === 'sha256' || algorithm === 'sha512';
  if (digits === undefined || !isKnown) return undefined;
  let secret: string;
  try {
    secret = readSeed(query.get('secret') ?? '').toString('base64');
  } catch {
    return undefined;
  }
  const common = { enabled: true, secret, digits, algorithm } as const;
  if (host === 'hotp') {
    const counter = wholeIn(query, 'counter', 0);
    return counter <= 2 ** 48 ? { ...common, kind: 'hotp', counter } : undefined;
  }
  const period = wholeIn(query, 'period', 30);
  const isTotp = host === 'totp' && period >= 15 && period <= 300;
  return isTotp ? { ...common, kind: 'totp', period, mark: 'now', drift: 0 } : undefined;
}

function wholeIn(query: URLSearchParams, key: string, absent: number): number {
  const text = query.get(key) ?? String(absent);
  return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
}
