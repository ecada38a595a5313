import { offsetText } from '../lib/clock-offset.ts';
import { unreachable } from '../lib/errors.ts';
import type { KeyAlgorithm, OtpAlgorithm } from './contract.ts';
import type { FactorRecord, KindName } from './kinds.ts';
import { remainingKeys } from './recovery.ts';
import { remainingCodes } from './scratch.ts';
import { fingerprintOf } from './ssh-key.ts';
import type { TotpRecord } from './totp.ts';
import { heldUntil } from './totp.ts';

/** A factor as it is listed: nothing that helps to make a code. */
export interface FactorSummary {
  readonly id: string;
  readonly kind: KindName;
  readonly name: string;
  readonly created: number;
  readonly lastUsed?: number;
  readonly enabled: boolean;
  /** Short facts for people: "6 digits, 30 s, SHA-1", "7 of 10 left". */
  readonly detail: string;
  /** Recovery keys or scratch codes left. */
  readonly left?: number;
  /** When a bypass code ends. Milliseconds since the epoch. */
  readonly until?: number;
  /** After a restore: when its codes are accepted again. Milliseconds since the epoch; it may be over. */
  readonly heldUntil?: number;
}

const algorithmNames: Readonly<Record<OtpAlgorithm, string>> = {
  sha1: 'SHA-1',
  sha256: 'SHA-256',
  sha512: 'SHA-512',
};

const algorithmsOfKeys: Readonly<Record<KeyAlgorithm, string>> = {
  es256: 'ES256',
  eddsa: 'EdDSA',
  rs256: 'RS256',
};

export function summaryOf(record: FactorRecord): FactorSummary {
  return {
    id: record.id,
    kind: record.kind,
    name: record.name,
    created: record.created,
    ...(record.lastUsed === undefined ? {} : { lastUsed: record.lastUsed }),
    enabled: record.enabled,
    detail: detailOf(record),
    ...(record.kind === 'recovery' ? { left: remainingKeys(record) } : {}),
    ...(record.kind === 'scratch' ? { left: remainingCodes(record) } : {}),
    ...held(record),
    ...(record.kind === 'bypass' ? { until: record.until } : {}),
  };
}

function held(record: FactorRecord): { readonly heldUntil?: number } {
  const until = record.kind === 'totp' ? heldUntil(record) : undefined;
  return until === undefined ? {} : { heldUntil: until };
}

function sinceRestore(record: TotpRecord): string {
  const until = heldUntil(record);
  return until === undefined ? '' : `, restored: codes are accepted from ${minuteOf(until)} on`;
}

function ofAnotherTime({ lastOffset }: TotpRecord): string {
  if (lastOffset === undefined) return '';
  return `, refused ${minuteOf(lastOffset.at)}: ${offsetText(lastOffset.seconds)}`;
}

function minuteOf(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function doubt({ inDoubt }: { readonly inDoubt?: true }): string {
  return inDoubt ? ', restored: waits for two in a row' : '';
}

function detailOf(record: FactorRecord): string {
  switch (record.kind) {
    case 'totp':
      return `${record.digits} digits, ${record.period} s, ${algorithmNames[record.algorithm]}${sinceRestore(record)}${ofAnotherTime(record)}`;
    case 'hotp':
      return `${record.digits} digits, by counter, ${algorithmNames[record.algorithm]}${doubt(record)}`;
    case 'yubikey':
      return `${record.publicId}, validated ${record.validation === 'local' ? `here${doubt(record)}` : 'by servers'}`;
    case 'webauthn':
      return `${record.rpId}, ${algorithmsOfKeys[record.algorithm]}${record.resident ? ', resident' : ''}`;
    case 'u2f':
      return `legacy, made for ${record.appId}: add the key anew as webauthn, then remove this`;
    case 'ssh-sk':
      return `${record.keyType}, ${fingerprintOf(record)}`;
    case 'recovery':
      return `${remainingKeys(record)} of ${record.hashes.length} left${record.legacy === undefined ? '' : ', legacy'}`;
    case 'scratch':
      return `${remainingCodes(record)} of ${record.hashes.length} left, legacy: make recovery keys, then remove this`;
    case 'bypass':
      return `one login, until ${minuteOf(record.until)}`;
    default:
      return unreachable(record);
  }
}

/** The factor without what it says of a code that is still to come: whoever guessed that code could wait for its time. */
export function withoutCodeToCome(record: FactorRecord): FactorRecord {
  if (record.kind !== 'totp' || (record.lastOffset?.seconds ?? 0) <= 0) return record;
  const { lastOffset: _, ...rest } = record;
  return rest;
}
