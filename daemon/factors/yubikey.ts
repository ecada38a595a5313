import { createDecipheriv, createHash, timingSafeEqual } from 'node:crypto';
import * as v from 'valibot';
import type { CounterValue, FactorContext, FactorKind, FactorVerdict } from './contract.ts';
import { base64, countOrNone, factorBase, type Infer, resyncRequired, resyncText, text } from './fields.ts';

/** Modhex symbols of the encrypted block. */
export const blockLength = 32;
export const aesKeyBytes = 16;
export const privateIdBytes = 6;

const symbols = 'cbdefghijklnrtuv';
/** What the CRC of a whole block comes to, its own two bytes included. */
const residue = 0xf0b8;

const common = {
  ...factorBase,
  kind: v.literal('yubikey'),
  /** Modhex of the 1 to 8 bytes that the key puts before each block. */
  publicId: v.pipe(text, v.check(isPublicId)),
  /** Digests of the blocks accepted last, the newest first: servers have been seen to take one again. */
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
/** Validated here, with its AES key. */
export type LocalYubikey = Infer<typeof local>;
/** Validated by servers that have its AES key. */
export type CloudYubikey = Infer<typeof cloud>;
/** A YubiKey in slot OTP, validated the way it was added. */
export type YubikeyRecord = LocalYubikey | CloudYubikey;

/**
 * A YubiKey OTP: a public id, and a block that was encrypted with the key's own AES key. Whose public id it is
 * not may be another key in the same pocket: it fits nothing here, and counts nowhere.
 */
export const yubikey: FactorKind<YubikeyRecord> = {
  kind: 'yubikey',
  schema,
  words: { name: 'YubiKey', answer: 'YubiKey OTP' },
  meets: 'yubikey',
  traits: { countsAsCode: true, liftsCodeLock: false, isIssued: false, runsOut: false },
  usable: () => true,
  notAllowed: ({ validation }, { yubikey: { validation: wanted } }) =>
    wanted === undefined || validation === wanted
      ? undefined
      : `is validated ${validation === 'local' ? 'here' : 'by servers'}, and the realm wants the other way`,
  answerFormats: ({ publicId }) => [{ kind: 'yubikey', publicId }],
  isValidatedByServers: ({ validation }) => validation === 'cloud',
  counters: {
    names: (record) => [
      publicIdCounterName(record),
      ...(record.validation === 'local' ? [aesKeyCounterName(record)] : []),
    ],
    raise: raised,
    written(record) {
      if (record.spent.length === 0) return [];
      const byId = { name: publicIdCounterName(record), lastPress: -1, spent: record.spent };
      if (record.validation === 'cloud') return [byId];
      return [byId, { name: aesKeyCounterName(record), lastPress: record.lastPress, spent: [] }];
    },
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
 * Yubico, "YubiKey OTP": the block is AES-128 of private id, use counter, timestamp, session counter, random
 * bytes and a CRC. The moving factor is the press: use counter and session counter together.
 *
 * - Only a block under this very AES key, with its CRC and private id right, MUST be accepted.
 * - Only a press above the last one accepted MUST be accepted; all below it are spent with it.
 * - Of a record in doubt no single press MUST be accepted, only one above another in the same call.
 * - The key may be enrolled for other accounts too: whoever stores the record MUST have brought `lastPress` and
 *   `spent` up to the marks that all of them share, and move those in the same commit.
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
    return { outcome: 'refused', reason: 'first-of-two', resync: { factor: record.id, counter: press + 1 } };
  const { inDoubt: _, ...sure } = spentBy(record, otp, context);
  return { outcome: 'accepted', record: { ...sure, lastPress: press } };
}

/*
 * - Only an OTP that the servers were asked about in this very try, and called valid, MUST be accepted.
 * - A block that was accepted here MUST be refused whatever they say: two who try it at once may both have been
 *   told "valid", and the marks MUST be those of all accounts, as above.
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

/** Blocks that are still known as spent. */
const remembered = 16;

/** The public id is only what stands before the block, and anybody can write another one there. */
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

/** What the record says that it wrote, in one commit with itself, must be there. */
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
  return `The mark of the YubiKey "${name}" (${publicId}) is gone: what was spent of it is not known. It is refused; restore the store from a backup, or remove the key and add it with another AES key.`;
}

/** The mark of a public id: for accounts whose servers alone have the AES key. */
export function publicIdCounterName({ publicId }: YubikeyRecord): string {
  return `id:${publicId}`;
}

/** The mark of an AES key, under whatever public id it was enrolled. */
export function aesKeyCounterName({ secret }: LocalYubikey): string {
  return `key:${sha256(Buffer.from(secret, 'base64')).toString('hex')}`;
}

export function isMarkName(name: string): boolean {
  return name.startsWith('id:') ? isPublicId(name.slice(3)) : /^key:[0-9a-f]{64}$/.test(name);
}

function sha256(what: string | Buffer): Buffer {
  return createHash('sha256').update(what).digest();
}

/** What stands before the block. */
export function publicIdOf(otp: string): string {
  return otp.slice(0, -blockLength);
}

/** Modhex of 1 to 8 bytes: what a key puts before each block. */
export function isPublicId(text: string): boolean {
  return /^(?:[cbdefghijklnrtuv]{2}){1,8}$/.test(text);
}

/** The bytes of modhex text; whatever is no symbol of it must have been refused before. */
export function bytesOf(modhex: string): Buffer {
  const hex = [...modhex].map((symbol) => symbols.indexOf(symbol).toString(16)).join('');
  return Buffer.from(hex, 'hex');
}

function decrypt(key: Buffer, block: Buffer): Buffer {
  const decipher = createDecipheriv('aes-128-ecb', key, null).setAutoPadding(false);
  const parts = [decipher.update(block), decipher.final()];
  const whole = Buffer.concat(parts);
  for (const part of parts) part.fill(0);
  return whole;
}

/** Use counter (15 bits; the highest bit told of Caps Lock in old keys), then session counter. */
function pressOf(block: Buffer): number {
  return (block.readUInt16LE(6) & 0x7fff) * 256 + block.readUInt8(11);
}

/** CRC-16 of ISO 13239, as the key makes it: reflected, 0x8408, begun with 0xffff. */
export function crcOf(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x8408 : crc >>> 1;
  }
  return crc;
}
