import { createHmac } from 'node:crypto';
import type { BypassRecord } from '../../../daemon/factors/bypass.ts';
import { hashBypassCode } from '../../../daemon/factors/bypass.ts';
import type { FactorContext, RecoveryHash } from '../../../daemon/factors/contract.ts';
import type { HotpRecord } from '../../../daemon/factors/hotp.ts';
import type { RecoveryRecord } from '../../../daemon/factors/recovery.ts';
import { hashLegacyRecovery, hashRecoveryKeys } from '../../../daemon/factors/recovery.ts';
import type { ScratchRecord } from '../../../daemon/factors/scratch.ts';
import { hashScratchCodes } from '../../../daemon/factors/scratch.ts';
import type { TotpRecord } from '../../../daemon/factors/totp.ts';

/** Records and contexts with defaults for what a test does not specify. */

const base = { id: 'f1', name: 'pixel-7', created: 1_600_000_000_000, enabled: true } as const;
const secret = Buffer.from('12345678901234567890').toString('base64');

export function totpRecord(changes: Partial<TotpRecord> = {}): TotpRecord {
  const defaults = { digits: 6, period: 30, algorithm: 'sha1', lastStep: -1, drift: 0 } as const;
  return { ...base, kind: 'totp', secret, ...defaults, ...changes };
}

export function hotpRecord(changes: Partial<HotpRecord> = {}): HotpRecord {
  return { ...base, kind: 'hotp', secret, digits: 6, algorithm: 'sha1', counter: 0, ...changes };
}

export function recoveryRecord(keys: readonly string[]): RecoveryRecord {
  return { ...base, kind: 'recovery', ...hashRecoveryKeys(keys, Buffer.alloc(16, 7), keyedHash) };
}

export function scratchRecord(codes: readonly string[]): ScratchRecord {
  return { ...base, kind: 'scratch', ...hashScratchCodes(codes, Buffer.alloc(16, 7), keyedHash) };
}

export function bypassRecord(code: string, part: { created: number; until: number }): BypassRecord {
  return { ...base, kind: 'bypass', ...hashBypassCode(code, Buffer.alloc(16, 7), keyedHash), ...part };
}

/** As Proxmox VE stores it. */
export function legacyRecord(secret: string, entries: readonly (string | null)[]): RecoveryRecord {
  return {
    ...base,
    kind: 'recovery',
    ...hashLegacyRecovery(secret, entries, Buffer.alloc(16, 7), keyedHash),
  };
}

export function contextAt(now: number, changes: Partial<FactorContext> = {}): FactorContext {
  return { now, skew: 1, keyedHash, ...changes };
}

/** Under two master keys, of which `k1` is for new sets. */
const keyedHash: RecoveryHash = {
  keyId: 'k1',
  of: (keyId, salt, text) =>
    createHmac('sha256', `a key for tests, ${keyId}`).update(salt).update(text).digest(),
};

/** After a rotation: new sets are hashed under `k2`. */
export const rotated: RecoveryHash = { keyId: 'k2', of: keyedHash.of };
