import type { UserView } from '../../daemon/api/views.ts';
import { base32Text } from './base32.ts';

/** The URI that an authenticator app scans, equal to that of `sallyport factor add totp`. */
export function otpauthUri(token: {
  readonly issuer: string;
  readonly account: string;
  readonly secret: Uint8Array;
  readonly defaults: UserView['defaults'];
}): string {
  const { digits, period, algorithm } = token.defaults;
  const issuer = token.issuer.trim();
  const parameters = [
    ['secret', base32Text(token.secret)],
    ...(issuer === '' ? [] : [['issuer', issuer]]),
    ['algorithm', algorithm.toUpperCase()],
    ['digits', String(digits)],
    ['period', String(period)],
  ];
  const label = `${issuer === '' ? '' : `${encode(issuer)}:`}${encode(token.account)}`;
  return `otpauth://totp/${label}?${parameters.map(([name, value]) => `${name}=${encode(value ?? '')}`).join('&')}`;
}

/** A space is %20, never a plus, which apps show. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
