import * as v from 'valibot';
import { type AuditEvent, auditKinds, auditOutcomes } from '../../audit/event.ts';
import { withCurrentNames } from '../../audit/former-names.ts';
import { isMarkName } from '../../factors/encodings/yubikey-otp.ts';
import { factorSchema } from '../../factors/kinds.ts';
import { SallyportError } from '../../lib/errors.ts';
import { storeError } from '../../sealing/error.ts';
import type { AccountRecord, YubikeyCounterRecord } from '../contract.ts';
import { tokenName } from './record-keys.ts';

/**
 * Schemas of stored records, checked on writing and on reading: unknown content is rejected, so that an older
 * Sallyport never drops what a newer one wrote.
 */
const time = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const count = time;
const text = v.string();
const base64 = v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]*={0,2}$/));
const seconds = v.pipe(v.number(), v.safeInteger());

const tokenRecord: v.GenericSchema<unknown, YubikeyCounterRecord> = v.strictObject({
  token: v.pipe(text, v.check(isMarkName)),
  /** A press, or -1 for none. */
  lastPress: v.pipe(v.number(), v.safeInteger(), v.minValue(-1)),
  spent: v.array(base64),
});

const accountRecord: v.GenericSchema<unknown, AccountRecord> = v.strictObject({
  account: v.pipe(text, v.minLength(1)),
  uid: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 32 - 1))),
  created: time,
  lastLogin: v.exactOptional(
    v.strictObject({
      at: time,
      service: text,
      source: v.exactOptional(text),
      firstFactorVerified: v.exactOptional(v.literal(false)),
    }),
  ),
  invite: v.exactOptional(v.strictObject({ digest: base64, expires: time, withoutPassword: v.boolean() })),
  factors: v.array(factorSchema),
  accepted: v.exactOptional(v.strictObject({ digest: base64, at: time, until: time })),
  lock: v.strictObject({
    codes: count,
    any: count,
    codesLockedAt: v.exactOptional(time),
    lockedAt: v.exactOptional(time),
  }),
  grants: v.array(
    v.strictObject({
      realm: text,
      service: text,
      origin: text,
      target: v.exactOptional(text),
      host: v.exactOptional(text),
      since: time,
    }),
  ),
  graceStarted: v.exactOptional(time),
  exemption: v.exactOptional(
    v.strictObject({
      since: time,
      until: time,
      services: v.exactOptional(v.array(text)),
      reason: v.exactOptional(text),
      by: text,
    }),
  ),
});

const auditEvent: v.GenericSchema<unknown, AuditEvent> = v.strictObject({
  kind: v.picklist(auditKinds),
  outcome: v.picklist(auditOutcomes),
  at: time,
  account: text,
  reason: text,
  host: v.exactOptional(v.strictObject({ id: text, name: text })),
  realm: v.exactOptional(text),
  service: v.exactOptional(text),
  source: v.exactOptional(text),
  tty: v.exactOptional(text),
  firstFactorVerified: v.exactOptional(v.boolean()),
  factor: v.exactOptional(v.strictObject({ id: text, kind: text, name: text })),
  actor: v.exactOptional(text),
  caller: v.exactOptional(text),
  would: v.exactOptional(text),
  other: v.exactOptional(text),
  until: v.exactOptional(time),
  locked: v.exactOptional(v.picklist(['codes', 'all'])),
  remaining: v.exactOptional(count),
  offset: v.exactOptional(seconds),
  count: v.exactOptional(v.pipe(v.number(), v.safeInteger(), v.minValue(2))),
});

/** @throws SallyportError record-invalid: a mistake of the caller; nothing of the record was stored */
export function encodeAccount(record: AccountRecord, account: string): Buffer {
  if (record.account !== account) {
    throw new SallyportError(
      'record-invalid',
      `Cannot store the record of ${record.account} as that of ${account}.`,
    );
  }
  return encode(accountRecord, record, `the record of ${record.account}`);
}

/** @throws SallyportError record-invalid */
export function encodeToken(record: YubikeyCounterRecord): Buffer {
  return encode(tokenRecord, record, `the mark of the YubiKey ${record.token}`);
}

/** @throws store error record-damaged if it is not the record of this YubiKey */
export function decodeToken(bytes: Buffer, name: string): YubikeyCounterRecord {
  const record = decode(tokenRecord, bytes);
  if (tokenName(record.token) !== name) throw malformed(`it is that of the YubiKey ${record.token}`);
  return record;
}

/** @throws SallyportError record-invalid */
export function encodeEvent(event: AuditEvent): Buffer {
  return encode(auditEvent, event, `an audit event of ${event.account}`);
}

/** @throws store error record-damaged if it is not the record of this account */
export function decodeAccount(bytes: Buffer, account: string): AccountRecord {
  const record = decode(accountRecord, bytes);
  if (record.account !== account) throw malformed(`it names ${record.account}`);
  return record;
}

/** @throws store error record-damaged */
export function decodeEvent(bytes: Buffer): AuditEvent {
  return decode(auditEvent, bytes, withCurrentNames);
}

function encode<T>(schema: v.GenericSchema<unknown, T>, value: T, what: string): Buffer {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return Buffer.from(JSON.stringify(value));
  throw new SallyportError(
    'record-invalid',
    `Cannot store ${what}: ${where(result.issues[0])} is not allowed.`,
  );
}

function decode<T>(
  schema: v.GenericSchema<unknown, T>,
  bytes: Buffer,
  renamed: (value: unknown) => unknown = (value) => value,
): T {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch (error) {
    throw malformed('it is not JSON', error);
  }
  const result = v.safeParse(schema, renamed(value), { abortEarly: true });
  if (result.success) return result.output;
  throw malformed(`${where(result.issues[0])} is not allowed`);
}

/** The path, never the value: it may be a seed. */
function where(issue: v.BaseIssue<unknown>): string {
  return v.getDotPath(issue) ?? 'the whole';
}

function malformed(why: string, cause?: unknown): Error {
  return storeError('record-damaged', `A stored record is malformed: ${why}.`, cause);
}
