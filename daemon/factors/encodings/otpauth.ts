import type { OtpAlgorithm, OtpDigits } from '../contract.ts';
import { encodeBase32 } from './base32.ts';

/** The data that an authenticator app gets from the QR code. */
export type OtpauthToken = {
  /** The issuer and the account that the app shows. */
  readonly issuer: string;
  readonly account: string;
  readonly seed: Buffer;
  readonly digits: OtpDigits;
  readonly algorithm: OtpAlgorithm;
} & (
  | { readonly kind: 'totp'; readonly period: number }
  /** `counter`: the next expected one. */
  | { readonly kind: 'hotp'; readonly counter: number }
);

/**
 * The Key URI format of Google Authenticator: `otpauth://TYPE/ISSUER:ACCOUNT?secret=…`.
 * Every parameter is written out, the defaults too, since apps do not agree on them. The first colon of the label
 * separates issuer and account, so one within either is percent-encoded. The result is a secret.
 */
export function otpauthUri(token: OtpauthToken): string {
  const moving = token.kind === 'totp' ? ['period', token.period] : ['counter', token.counter];
  const parameters = [
    ['secret', encodeBase32(token.seed)],
    ['issuer', token.issuer],
    ['algorithm', token.algorithm.toUpperCase()],
    ['digits', token.digits],
    moving,
  ];
  const label = `${encode(token.issuer)}:${encode(token.account)}`;
  const query = parameters.map(([name, value]) => `${name}=${encode(String(value))}`).join('&');
  return `otpauth://${token.kind}/${label}?${query}`;
}

/**
 * The contents of a picture, in order of preference. Every character makes it larger, and a terminal has 24 lines:
 * parameters with the format's default values are left out, and if necessary the issuer, which also precedes the
 * account in the label.
 */
export function shortOtpauthUris(token: OtpauthToken): readonly string[] {
  const issuer = `issuer=${encode(token.issuer)}`;
  const parameters = [
    `secret=${encodeBase32(token.seed)}`,
    ...(token.algorithm === 'sha1' ? [] : [`algorithm=${token.algorithm.toUpperCase()}`]),
    ...(token.digits === 6 ? [] : [`digits=${token.digits}`]),
    // A counter has no default.
    ...(token.kind === 'hotp' ? [`counter=${token.counter}`] : []),
    ...(token.kind === 'hotp' || token.period === 30 ? [] : [`period=${token.period}`]),
  ];
  const head = `otpauth://${token.kind}/${encode(token.issuer)}:${encode(token.account)}`;
  return [[...parameters, issuer], parameters].map((query) => `${head}?${query.join('&')}`);
}

/** As encodeURIComponent, plus the five marks that it leaves: a space is %20, never a plus, which apps show. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

export type TotpToken = OtpauthToken & { readonly kind: 'totp' };
