import { unreachable } from '../lib/errors.ts';
import { bypass } from './bypass.ts';
import type { Factor, FactorRecord } from './contract.ts';
import { hotp } from './hotp.ts';
import { recovery } from './recovery.ts';
import { scratch } from './scratch.ts';
import { sshSk } from './ssh-sk.ts';
import { totp } from './totp.ts';
import { u2f, webauthn } from './webauthn.ts';
import { yubikey } from './yubikey.ts';

/** The one place that knows which code judges which record. */
export function kindOf(record: FactorRecord): Factor {
  switch (record.kind) {
    case 'totp':
      return totp;
    case 'hotp':
      return hotp;
    case 'yubikey':
      return yubikey;
    case 'webauthn':
      return webauthn;
    case 'u2f':
      return u2f;
    case 'ssh-sk':
      return sshSk;
    case 'recovery':
      return recovery;
    case 'scratch':
      return scratch;
    case 'bypass':
      return bypass;
    default:
      return unreachable(record);
  }
}
