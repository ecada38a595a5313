import type { HotpRecord } from '../../../daemon/factors/hotp.ts';
import type { RecoveryRecord } from '../../../daemon/factors/recovery.ts';
import type { TotpRecord } from '../../../daemon/factors/totp.ts';

export const seed = Buffer.from('12345678901234567890');

export const phone: TotpRecord = {
  kind: 'totp',
  id: 'aaaa',
  name: 'phone',
  created: 1_700_000_000_000,
  enabled: true,
  secret: seed.toString('base64'),
  digits: 6,
  period: 30,
  algorithm: 'sha1',
  lastStep: -1,
  drift: 0,
};

export const fob: HotpRecord = {
  kind: 'hotp',
  id: 'bbbb',
  name: 'fob',
  created: 1_700_000_000_000,
  enabled: true,
  secret: Buffer.from('another seed of 20 b').toString('base64'),
  digits: 6,
  algorithm: 'sha1',
  counter: 0,
};

export const paper: RecoveryRecord = {
  kind: 'recovery',
  id: 'cccc',
  name: 'paper',
  created: 1_700_000_000_000,
  enabled: true,
  keyId: 'k1',
  salt: Buffer.from('salt').toString('base64'),
  hashes: [null, 'AA==', 'AA=='],
};

export const grant = { realm: 'staff', service: 'sudo', origin: 'ip:10.0.0.1', since: 1_700_000_000_000 };
