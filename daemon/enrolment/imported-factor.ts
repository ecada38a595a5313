import type { Realm } from '../config/contract.ts';
import type { FactorBase } from '../factors/contract.ts';
import { coseKey } from '../factors/cose.ts';
import type { HotpRecord } from '../factors/hotp.ts';
import { highestFirstCounter } from '../factors/hotp.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import { credentialOf as keyIn } from '../factors/kinds.ts';
import { checkSeed } from '../factors/seed.ts';
import type { TotpRecord } from '../factors/totp.ts';
import type { LocalYubikey, YubikeyRecord } from '../factors/yubikey.ts';
import { aesKeyBytes, aesKeyCounterName, isPublicId, privateIdBytes } from '../factors/yubikey.ts';
import { SallyportError, unreachable } from '../lib/errors.ts';
import type { Commit } from '../store/contract.ts';
import type { YubikeyCounters } from '../verifier/yubikey-counters.ts';
import { legacyCredential } from './credentials.ts';
import { isSameKey, significant } from './enrolment.ts';
import type { PortableFactor } from './import-export-types.ts';
import { madeSet, type SetSetting, setOfKind, thinnedSet } from './imported-code-set.ts';

/** What a factor of another system is judged by. */
export interface Setting extends SetSetting {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Of the configuration; undefined: there is none. */
  readonly rpId?: string;
}

/** A record that is to be stored, and what is spent of its key. */
export interface Changed {
  readonly factor: FactorRecord;
  readonly tokens: NonNullable<Commit['tokens']>;
}

type Moved<K extends PortableFactor['kind']> = PortableFactor & { readonly kind: K };

/** A mark that lies further ahead refuses every code for hours: one of the two clocks is wrong. Seconds. */
const furthestMark = 2 * 3_600;
/** As far as a factor's own drift goes. */
const furthestDrift = 10;
/** 15 bits of use counter and 8 of session counter. */
const highestPress = 0x7f_ffff;

/** The factor of the account that is this one, whatever it is called. */
export function sameAs(moved: PortableFactor, kept: readonly FactorRecord[]): FactorRecord | undefined {
  switch (moved.kind) {
    case 'totp':
    case 'hotp': {
      const wanted = significant(moved.secret);
      return kept.find((factor) => 'secret' in factor && significant(factor.secret) === wanted);
    }
    case 'yubikey': {
      const wanted = bareYubikey(moved);
      return kept.find((factor) => factor.kind === 'yubikey' && isSameKey(factor, { ...nobodys, ...wanted }));
    }
    case 'u2f':
    case 'webauthn':
      return kept.find((factor) => keyIn(factor)?.credentialId === moved.credentialId);
    case 'scratch':
    case 'recovery':
      return setOfKind(moved, kept);
    default:
      return unreachable(moved);
  }
}

const nobodys: FactorBase = { id: '', name: '', created: 0, enabled: true };

function bareYubikey(
  moved: Moved<'yubikey'>,
): Omit<YubikeyRecord, keyof FactorBase> & { kind: 'yubikey' } & (
    | Omit<LocalYubikey, keyof FactorBase>
    | { validation: 'cloud'; kind: 'yubikey'; publicId: string; spent: readonly string[] }
  ) {
  const { publicId } = moved;
  if (moved.validation === 'cloud') return { kind: 'yubikey', validation: 'cloud', publicId, spent: [] };
  const { privateId, secret, lastPress } = moved;
  return { kind: 'yubikey', validation: 'local', publicId, privateId, secret, lastPress, spent: [] };
}

/**
 * A new factor, with its marks.
 * @throws SallyportError `bad-secret`, `bad-mark`, `clock-skew`, `key-refused`, `no-relying-party`
 */
export function madeOf(
  moved: PortableFactor,
  base: FactorBase,
  realm: Realm,
  setting: Setting,
  tokens: YubikeyCounters,
): Changed {
  switch (moved.kind) {
    case 'totp': {
      checkSeed(Buffer.from(moved.secret, 'base64'));
      const { kind, secret, digits, period, algorithm, drift } = moved;
      if (Math.abs(drift) > furthestDrift)
        throw new SallyportError(
          'clock-skew',
          `the device's clock is ${Math.abs(drift)} steps out, and at most ${furthestDrift} are carried; set it right, log in once there, and import again`,
        );
      const lastStep = markedStep(moved, setting);
      return plain({ ...base, kind, secret, digits, period, algorithm, lastStep, drift });
    }
    case 'hotp': {
      checkSeed(Buffer.from(moved.secret, 'base64'));
      const { kind, secret, digits, algorithm, counter } = moved;
      if (counter > highestFirstCounter)
        throw new SallyportError('bad-mark', 'the counter is higher than any token gets; look at the file');
      return plain({ ...base, kind, secret, digits, algorithm, counter });
    }
    case 'yubikey': {
      checkYubikey(moved);
      const factor = { ...base, ...bareYubikey(moved) };
      return factor.validation === 'cloud' ? plain(factor) : pressed(factor, tokens);
    }
    case 'u2f': {
      refuseModels(realm);
      const { credentialId, algorithm, appId, verified } = moved;
      const publicKey = Buffer.from(moved.publicKey, 'base64');
      return plain({ ...base, ...legacyCredential({ credentialId, algorithm, appId, verified, publicKey }) });
    }
    case 'webauthn':
      return plain(credentialOf(moved, base, realm, setting));
    case 'scratch':
    case 'recovery':
      return plain(madeSet(moved, base, setting));
    default:
      return unreachable(moved);
  }
}

/**
 * A factor that is here already under a higher mark, if the other system knows one.
 * @returns undefined: nothing changes
 * @throws SallyportError `other-settings`: it is the same secret, used otherwise
 */
export function raisedBy(
  moved: PortableFactor,
  old: FactorRecord,
  setting: Setting,
  tokens: YubikeyCounters,
): Changed | undefined {
  if (moved.kind === 'totp') {
    if (old.kind !== 'totp' || old.period !== moved.period || !hasSameCodes(old, moved)) throw otherwise(old);
    // What is only guessed to be spent counts when a factor is added, or each import would move it.
    const step = moved.mark === 'now' ? -1 : markedStep(moved, setting);
    return step > old.lastStep ? plain({ ...old, lastStep: step }) : undefined;
  }
  if (moved.kind === 'hotp') {
    if (old.kind !== 'hotp' || !hasSameCodes(old, moved)) throw otherwise(old);
    return moved.counter > old.counter && moved.counter <= highestFirstCounter
      ? plain({ ...old, counter: moved.counter })
      : undefined;
  }
  if (moved.kind === 'yubikey') {
    if (old.kind !== 'yubikey' || old.validation !== moved.validation) throw otherwise(old);
    if (moved.validation === 'cloud' || old.validation === 'cloud') return undefined;
    if (aesKeyCounterName(old) !== aesKeyCounterName({ ...old, secret: moved.secret })) throw otherwise(old);
    return moved.lastPress > old.lastPress && moved.lastPress <= highestPress
      ? pressed({ ...old, lastPress: moved.lastPress }, tokens)
      : undefined;
  }
  if (moved.kind === 'scratch' || moved.kind === 'recovery') {
    const thinned = thinnedSet(moved, old, setting);
    return thinned === undefined ? undefined : plain(thinned);
  }
  if (
    moved.kind === 'webauthn' &&
    (old.kind === 'webauthn' || old.kind === 'u2f') &&
    moved.counter > old.counter
  )
    return plain({ ...old, counter: moved.counter });
  return undefined;
}

function plain(factor: FactorRecord): Changed {
  return { factor, tokens: [] };
}

function hasSameCodes(old: TotpRecord | HotpRecord, moved: Moved<'totp' | 'hotp'>): boolean {
  return old.digits === moved.digits && old.algorithm === moved.algorithm;
}

function otherwise({ name }: FactorRecord): SallyportError {
  return new SallyportError(
    'other-settings',
    `the factor "${name}" of this account has this very secret with other settings; remove one of the two`,
  );
}

function markedStep({ mark, period, drift }: Moved<'totp'>, { now }: Setting): number {
  const present = Math.floor(now / 1000 / period) + drift;
  if (mark === 'now') return present;
  if (mark <= present + furthestMark / period) return mark;
  throw new SallyportError(
    'bad-mark',
    'its last code was used in the future, by the clock of this machine; set the clock right first',
  );
}

function checkYubikey(moved: Moved<'yubikey'>): void {
  const wrong = (what: string) => {
    throw new SallyportError('bad-secret', `${what}; look at the file`);
  };
  if (!isPublicId(moved.publicId)) wrong('a public id has 2 to 16 modhex symbols (cbdefghijklnrtuv)');
  if (moved.validation === 'cloud') return;
  if (Buffer.from(moved.privateId, 'base64').length !== privateIdBytes) wrong('a private id has 6 bytes');
  if (Buffer.from(moved.secret, 'base64').length !== aesKeyBytes) wrong('an AES key has 16 bytes');
  if (moved.lastPress > highestPress) wrong('the last press is higher than any key gets');
}

/** MUST hold: the mark that all accounts with this key share is never below what any of them says. */
function pressed(factor: LocalYubikey, tokens: YubikeyCounters): Changed {
  const mark = aesKeyCounterName(factor);
  const { value, version } = tokens.get(mark) ?? { value: undefined, version: 0 };
  const lastPress = Math.max(factor.lastPress, value?.lastPress ?? -1);
  const raised = { ...factor, lastPress };
  if (lastPress <= (value?.lastPress ?? -1)) return plain(raised);
  const write = { token: mark, lastPress, spent: value?.spent ?? [] };
  return { factor: raised, tokens: [{ version, write }] };
}

function refuseModels({ name, webauthn }: Realm): void {
  if (webauthn.models === undefined) return;
  throw new SallyportError(
    'key-refused',
    `the realm "${name}" allows certain models of security keys alone, and a key that moves here cannot prove its model; enrol it anew: sallyport factor add webauthn`,
  );
}

function credentialOf(
  moved: Moved<'webauthn'>,
  base: FactorBase,
  realm: Realm,
  { rpId }: Setting,
): FactorRecord {
  refuseModels(realm);
  if (moved.rpId !== rpId)
    throw new SallyportError(
      'no-relying-party',
      `the key was made for ${moved.rpId}, and the relying party here is ${rpId ?? 'not set'}: a key answers to the domain that it was made for alone; set [webauthn] rp_id to that one, or enrol the key anew: sallyport factor add webauthn`,
    );
  const key = coseKey(moved.algorithm, Buffer.from(moved.publicKey, 'base64'));
  if (key === undefined || moved.credentialId === '')
    throw new SallyportError('bad-secret', 'that is no public key of its kind; look at the file');
  return {
    ...base,
    kind: 'webauthn',
    credentialId: moved.credentialId,
    publicKey: key.toString('base64'),
    algorithm: moved.algorithm,
    counter: moved.counter,
    spent: [],
    rpId: moved.rpId,
    aaguid: '00000000-0000-0000-0000-000000000000',
    attested: false,
    resident: false,
    transports: [],
  };
}
