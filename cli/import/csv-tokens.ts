import type { PortableFactor } from '../../daemon/api/account-views.ts';
import { totpPeriod } from '../../daemon/api/bounds.ts';
import { readPublicId, readYubikeyHex } from '../../daemon/client/factor-input.ts';

/** A line of another system's CSV. */
export type Token =
  | { readonly kind: 'token'; readonly user?: string; readonly factor: PortableFactor }
  | { readonly kind: 'none'; readonly user?: string; readonly why: string };

const oathTypes = ['hotp', 'totp', 'ocra', 'tan'];
const digitsBy = { '6': 6, '7': 7, '8': 8 } as const;

export function tokenIn(fields: readonly string[]): Token {
  const [first = '', , third = ''] = fields;
  if (/^(?:yubico otp|oath-hotp|static password|challenge-response.*)$/i.test(first))
    return loggedKey(fields);
  // In "# version: 2" the user, resolver and realm come before or after the token.
  if (oathTypes.includes((fields[5] ?? '').toLowerCase())) return oath(fields.slice(3), fields[0]);
  if (oathTypes.includes(third.toLowerCase())) return oath(fields, fields.length > 6 ? fields[5] : undefined);
  if (/^\d{1,12}$/.test(first) && fields.length >= 6) return writtenKey(fields);
  return none(
    'unknown CSV format; supported ones are in docs/how-to/import-export.md, with a heading for other tools',
  );
}

function none(why: string, user?: string): Token {
  return { kind: 'none', why, ...(user ? { user } : {}) };
}

/** `serial, key in hex, hotp|totp, digits, counter or period[, algorithm]` */
function oath(
  [serial = '', key = '', type = '', length = '', moving = '', hash = '']: readonly string[],
  user?: string,
): Token {
  const kind = type.toLowerCase();
  if (kind !== 'hotp' && kind !== 'totp')
    return none(`factors of kind ${kind} are not supported; add another factor`, user);
  if (!/^(?:[0-9a-f]{2})+$/i.test(key)) return none('the key is not hexadecimal', user);
  const digits = digitsBy[(length || '6') as keyof typeof digitsBy];
  if (digits === undefined) return none('codes must have 6, 7 or 8 digits', user);
  if (!/^\d{0,15}$/.test(moving)) return none('the counter or period is not a number', user);
  const named = /^sha(?:1|256|512)$/i.test(hash) ? hash.toLowerCase() : undefined;
  // LinOTP implies the hash by the length of the key.
  const algorithm = named ?? { 64: 'sha256', 128: 'sha512' }[key.length] ?? 'sha1';
  const common = {
    name: serial,
    enabled: true,
    secret: Buffer.from(key, 'hex').toString('base64'),
    digits,
    algorithm: algorithm as 'sha1' | 'sha256' | 'sha512',
  };
  const owner = user ? { user } : {};
  if (kind === 'hotp')
    return { kind: 'token', ...owner, factor: { ...common, kind, counter: Number(moving || 0) } };
  const period = Number(moving || 30);
  const { least, most } = totpPeriod;
  if (period < least || period > most) return none(`the code period must be ${least} to ${most} s`, user);
  return { kind: 'token', ...owner, factor: { ...common, kind, period, mark: 'now', drift: 0 } };
}

/** Yubico's traditional log: `Yubico OTP, time, slot, public id, private id, AES key, …` */
function loggedKey(fields: readonly string[]): Token {
  const [type = '', , , publicId = '', privateId = '', key = ''] = fields;
  switch (type.toLowerCase()) {
    case 'yubico otp':
      return yubikey(publicId, privateId, key, '');
    case 'oath-hotp':
      return publicId === '' ? hotpOf(key, '', fields[11] === '8' ? '8' : '6') : none(typesItsId);
    default:
      return none(
        `${type.toLowerCase()} is not supported; enrol the key again: sallyport factor add webauthn`,
      );
  }
}

const typesItsId = 'the key types its id before each code; reprogram it without the id, then import it again';

/** Yubico's log: `serial, public id, private id, key, access code, time,`; private id 0 means OATH. */
function writtenKey([serial = '', publicId = '', privateId = '', key = '']: readonly string[]): Token {
  if (privateId === '') return none('static passwords are not supported');
  if (privateId === '0') return publicId === '' ? hotpOf(key, serial, '6') : none(typesItsId);
  return yubikey(publicId, privateId, key, serial);
}

function hotpOf(key: string, name: string, digits: '6' | '8'): Token {
  return oath([name, key, 'hotp', digits, '0']);
}

function yubikey(publicId: string, privateId: string, key: string, serial: string): Token {
  try {
    return {
      kind: 'token',
      factor: {
        kind: 'yubikey',
        validation: 'local',
        enabled: true,
        name: serial === '' ? 'YubiKey' : `YubiKey ${serial}`,
        publicId: readPublicId(publicId),
        privateId: readYubikeyHex(privateId, 'privateId').toString('base64'),
        secret: readYubikeyHex(key, 'aesKey').toString('base64'),
        lastPress: -1,
      },
    };
  } catch (error) {
    return none(error instanceof Error ? error.message : '');
  }
}
