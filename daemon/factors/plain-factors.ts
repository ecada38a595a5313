import type { KeyAlgorithm, OtpAlgorithm, OtpDigits } from './contract.ts';

/** Factors as JSON contains them, with their secrets: for adding one, and for import and export. */

export interface PlainTotp {
  /** Base64 of the raw seed. */
  readonly secret: string;
  readonly digits: OtpDigits;
  /** Seconds. */
  readonly period: number;
  readonly algorithm: OtpAlgorithm;
}

export interface PlainHotp {
  /** Base64 of the raw seed. */
  readonly secret: string;
  readonly digits: OtpDigits;
  readonly algorithm: OtpAlgorithm;
  /** The next expected counter. */
  readonly counter: number;
}

/** A YubiKey whose OTPs are validated on this machine. */
export interface PlainYubikey {
  /** Modhex. */
  readonly publicId: string;
  /** Base64 of 6 bytes. */
  readonly privateId: string;
  /** Base64 of the AES key. */
  readonly secret: string;
}

/** A key that pam_u2f or Proxmox VE enrolled. */
export interface PlainU2f {
  /** Base64url. */
  readonly credentialId: string;
  /** Base64 of the raw key. */
  readonly publicKey: string;
  readonly algorithm: KeyAlgorithm;
  readonly appId: string;
  readonly verified: boolean;
}
