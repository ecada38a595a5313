import { timingSafeEqual } from 'node:crypto';
import * as v from 'valibot';
import { SallyportError } from '../lib/errors.ts';
import type {
  AnyRecord,
  CounterValue,
  FactorBase,
  FactorContext,
  FactorKind,
  FactorVerdict,
} from './contract.ts';
import {
  aesKeyCounterName,
  blockLength,
  bytesOf,
  crcOf,
  decrypt,
  isPublicId,
  pressOf,
  privateIdBytes,
  publicIdCounterName,
  publicIdOf,
  residue,
  sha256,
} from './encodings/yubikey-otp.ts';
import {
  base64,
  countOrNone,
  factorBase,
  type Infer,
  resyncRequired,
  resyncText,
  text,
  typedCodeTraits,
} from './fields.ts';
import { otherSettings } from './seed.ts';
import type { NewYubikey, PortableYubikey } from './yubikey-enrolment.ts';
import {
  checkPortable,
  checkRequested,
  highestPress,
  refusedTouch,
  requested,
  yubikeyPortable,
  yubikeyRequest,
} from './yubikey-enrolment.ts';

const common = {
  ...factorBase,
  kind: v.literal('yubikey'),
  /** Modhex of the 1 to 8 bytes that the key types before each block. */
  publicId: v.pipe(text, v.check(isPublicId)),
  /** Digests of the last accepted blocks, newest first: servers have been seen to accept one twice. */
  spent: v.array(base64),
};
const local = v.strictObject({
  ...common,
  validation: v.literal('local'),
  /** Base64 of 6 bytes. */
  privateId: base64,
  /** Base64 of the AES key, 16 bytes. */
  secret: base64,
  /** Use counter * 256 + session counter of the last press accepted; -1: none yet. */
  lastPress: countOrNone,
  inDoubt: resyncRequired,
});
const cloud = v.strictObject({ ...common, validation: v.literal('cloud') });
const schema = v.variant('validation', [local, cloud]);
/** Validated on this machine, with its AES key. */
export type LocalYubikey = Infer<typeof local>;
/** Validated by servers that have its AES key. */
export type CloudYubikey = Infer<typeof cloud>;
/** A YubiKey in slot OTP, validated the way it was enrolled. */
export type YubikeyRecord = LocalYubikey | CloudYubikey;

/**
 * A YubiKey OTP: a public id, and a block encrypted with the AES key of the YubiKey. An OTP with another public id
 * may be from another key in the same pocket: it matches nothing here, and is not counted.
 */
export const yubikey: FactorKind<YubikeyRecord, PortableYubikey, typeof yubikeyRequest, 'code'> = {
  kind: 'yubikey',
  schema,
  words: { name: 'YubiKey', answer: 'YubiKey OTP' },
  satisfies: 'yubikey',
  traits: typedCodeTraits,
  usable: () => true,
  notAllowed: ({ validation }, { yubikey: { validation: wanted } }) =>
    wanted === undefined || validation === wanted
      ? undefined
      : `is validated ${validation === 'local' ? 'here' : 'by servers'}, and the realm requires the other way`,
  answerFormats: ({ publicId }) => [{ kind: 'yubikey', publicId }],
  isValidatedByServers: ({ validation }) => validation === 'cloud',
  counters: {
    names: (record) => [
      publicIdCounterName(record),
      ...(record.validation === 'local' ? [aesKeyCounterName(record)] : []),
    ],
    raise: raised,
    imported(record, counter) {
      if (record.validation === 'cloud') return { record, written: [] };
      const name = aesKeyCounterName(record);
      const value = counter(name);
      const lastPress = Math.max(record.lastPress, value?.lastPress ?? -1);
      const isHigher = lastPress > (value?.lastPress ?? -1);
      const written = isHigher ? [{ name, lastPress, spent: value?.spent ?? [] }] : [];
      return { record: { ...record, lastPress }, written };
    },
    written(record) {
      if (record.spent.length === 0) return [];
      const byId = { name: publicIdCounterName(record), lastPress: -1, spent: record.spent };
      if (record.validation === 'cloud') return [byId];
      return [byId, { name: aesKeyCounterName(record), lastPress: record.lastPress, spent: [] }];
    },
  },
  restored(record, { same }) {
    const spent = [...new Set([...(same?.spent ?? []), ...record.spent])];
    // Its servers know what was used.
    if (record.validation === 'cloud') return { record: { ...record, spent } };
    const press = same?.validation === 'local' ? same.lastPress : -1;
    const lastPress = Math.max(record.lastPress, press);
    return { record: { ...record, spent, lastPress, inDoubt: true }, note: 'two-in-a-row' };
  },
  notTaken: ({ validation: asked }, { name, yubikey: { validation } }) =>
    validation === undefined || asked === validation
      ? undefined
      : `the realm "${name}" accepts only YubiKeys that are validated ${validation === 'local' ? 'here: say --local' : 'by its servers: leave --local out'}`,
  enrolling: {
    request: yubikeyRequest,
    proof: 'code',
    make(asked, base, kept, { code }) {
      const record = keyIn(requested(asked, code), base);
      checkNew(asked, record, kept);
      return { record };
    },
    refusal: ({ validation }, { reason }) => refusedTouch(validation, reason),
  },
  importing: {
    schema: yubikeyPortable,
    same: (moved, kept) => isYubikey(kept) && isSameKey(kept, keyIn(moved, kept)),
    counterNames: (moved) =>
      moved.validation === 'local' ? [publicIdCounterName(moved), aesKeyCounterName(moved)] : [],
    take(moved, base) {
      checkPortable(moved);
      return keyIn(moved, base);
    },
    raise(moved, kept) {
      if (!isYubikey(kept) || kept.validation !== moved.validation) throw otherSettings(kept);
      if (moved.validation === 'cloud' || kept.validation === 'cloud') return undefined;
      if (aesKeyCounterName(kept) !== aesKeyCounterName({ ...kept, secret: moved.secret }))
        throw otherSettings(kept);
      return moved.lastPress > kept.lastPress && moved.lastPress <= highestPress
        ? { ...kept, lastPress: moved.lastPress }
        : undefined;
    },
  },
  exported(record) {
    const { kind, publicId } = record;
    if (record.validation === 'cloud') return { kind, validation: 'cloud', publicId };
    const { privateId, secret, lastPress } = record;
    return { kind, validation: 'local', publicId, privateId, secret, lastPress };
  },
  details: (record) => ({
    detail: `${record.publicId}, validated ${record.validation === 'local' ? `here${resyncText(record)}` : 'by servers'}`,
  }),
  verify(record, format, context) {
    if (format.kind !== 'yubikey' || publicIdOf(format.text) !== record.publicId)
      return { outcome: 'refused', reason: 'wrong' };
    return record.validation === 'local'
      ? verifyHere(record, format.text, context)
      : verifyByServers(record, format.text, context);
  },
};

/*
 * Yubico, "YubiKey OTP": the block is AES-128 of private id, use counter, timestamp, session counter, random bytes
 * and a CRC. The moving factor is the press: use counter and session counter together.
 *
 * - Only a block under this AES key, with correct CRC and private id, MUST be accepted.
 * - Only a press above the last accepted one MUST be accepted; all below it are used with it.
 * - For a record that requires resynchronisation no single press MUST be accepted, only one above another in the
 *   same call.
 * - The key may be enrolled for other accounts too: the code that stores the record MUST have raised `lastPress`
 *   and `spent` to the counters that all of them share, and move those in the same commit.
 */
function verifyHere(record: LocalYubikey, otp: string, context: FactorContext): FactorVerdict<YubikeyRecord> {
  const block = decrypt(Buffer.from(record.secret, 'base64'), bytesOf(otp.slice(-blockLength)));
  const privateId = Buffer.from(record.privateId, 'base64');
  const isRight =
    privateId.length === privateIdBytes &&
    timingSafeEqual(block.subarray(0, privateIdBytes), privateId) &&
    crcOf(block) === residue;
  const press = pressOf(block);
  block.fill(0);
  if (!isRight) return { outcome: 'refused', reason: 'wrong' };
  if (press <= record.lastPress || isSpent(record, otp)) return { outcome: 'refused', reason: 'replay' };
  const { resync } = context;
  const follows = resync?.factor === record.id && press >= resync.counter;
  if (record.inDoubt && !follows)
    return {
      outcome: 'refused',
      reason: 'resync-required',
      resync: { factor: record.id, counter: press + 1 },
    };
  const { inDoubt: _, ...sure } = spentBy(record, otp, context);
  return { outcome: 'accepted', record: { ...sure, lastPress: press } };
}

/*
 * - Only an OTP that the servers were queried about for this attempt, and called valid, MUST be accepted.
 * - A block that was accepted here MUST be refused whatever they say: in two simultaneous attempts both may have
 *   been reported valid, and the counters MUST be those of all accounts, as above.
 */
function verifyByServers(
  record: CloudYubikey,
  otp: string,
  context: FactorContext,
): FactorVerdict<YubikeyRecord> {
  if (isSpent(record, otp)) return { outcome: 'refused', reason: 'replay' };
  const verdict = context.validated?.(otp) ?? 'unavailable';
  if (verdict !== 'valid') return { outcome: 'refused', reason: verdict };
  return { outcome: 'accepted', record: spentBy(record, otp, context) };
}

/** How many used blocks are remembered. */
const remembered = 16;

/** Only the block: the public id is just its prefix, and anybody can write another one. */
function digestOf(otp: string): string {
  return sha256(otp.slice(-blockLength)).subarray(0, 16).toString('base64');
}

function isSpent(record: YubikeyRecord, otp: string): boolean {
  return record.spent.includes(digestOf(otp));
}

function spentBy<R extends YubikeyRecord>(record: R, otp: string, { now }: FactorContext): R {
  const spent = [digestOf(otp), ...record.spent].slice(0, remembered);
  return { ...record, spent, lastUsed: now };
}

function isYubikey(record: AnyRecord): record is YubikeyRecord {
  return record.kind === 'yubikey';
}

/** @throws SallyportError `wrong-code`, `bad-secret` */
function checkNew(request: NewYubikey, record: YubikeyRecord, kept: readonly AnyRecord[]): void {
  checkRequested(request, record.publicId);
  const same = kept.find((other) => isYubikey(other) && isSameKey(other, record));
  if (same === undefined) return;
  throw new SallyportError(
    'bad-secret',
    `the factor "${same.name}" of this account is this very YubiKey; remove it first`,
  );
}

/** Whether both are the same key, however it is validated. */
function isSameKey(a: YubikeyRecord, b: YubikeyRecord): boolean {
  const sharesId = publicIdCounterName(a) === publicIdCounterName(b);
  const isLocal = a.validation === 'local' && b.validation === 'local';
  return sharesId || (isLocal && aesKeyCounterName(a) === aesKeyCounterName(b));
}

function keyIn(moved: PortableYubikey, { id, name, created, enabled }: FactorBase): YubikeyRecord {
  const { kind, publicId } = moved;
  const common = { id, name, created, enabled, kind, publicId, spent: [] };
  if (moved.validation === 'cloud') return { ...common, validation: 'cloud' };
  const { privateId, secret, lastPress } = moved;
  return { ...common, validation: 'local', privateId, secret, lastPress };
}

/** Applies the shared counters. A counter that the record says it wrote, in its own commit, must exist. */
function raised(
  record: YubikeyRecord,
  counter: (name: string) => CounterValue | undefined,
): YubikeyRecord | string {
  const byId = counter(publicIdCounterName(record));
  if (byId === undefined && record.spent.length > 0) return lost(record);
  const spent = byId?.spent ?? [];
  if (record.validation === 'cloud') return { ...record, spent };
  const byKey = counter(aesKeyCounterName(record));
  if (byKey === undefined && record.lastPress >= 0) return lost(record);
  return { ...record, spent, lastPress: Math.max(record.lastPress, byKey?.lastPress ?? -1) };
}

function lost({ name, publicId }: YubikeyRecord): string {
  return `The counter of the YubiKey "${name}" (${publicId}) is missing, so its used codes are unknown. It is refused; restore the store from a backup, or remove the key and add it with another AES key.`;
}
