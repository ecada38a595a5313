import { SallyportError } from '../../lib/errors.ts';
import { holdsNothing, ownershipOf } from '../../policy/identity.ts';
import { type AccountRecord, emptyRecord } from '../contract.ts';

/** Whose record is wanted: the account as NSS knows it now. */
export interface Owner {
  readonly name: string;
  readonly uid: number;
}

/**
 * The record as it counts for the account as it is now: an empty one where there is none, or where it is another
 * uid's and nothing is in it. One of another uid comes as it is; policy refuses it (policy/identity.ts).
 */
export function recordOf(
  record: AccountRecord | undefined,
  { name, uid }: Owner,
  now: number,
): AccountRecord {
  if (record === undefined || ownershipOf(record, uid, now) === 'empty') return emptyRecord(name, now, uid);
  // Nothing is in it that could be another person's.
  return record.uid === undefined && holdsNothing(record, now) ? { ...record, uid } : record;
}

/**
 * The same, for a change that is not a login's.
 * @throws SallyportError uid-changed: the record is another uid's
 */
export function ownRecord(record: AccountRecord | undefined, owner: Owner, now: number): AccountRecord {
  const own = recordOf(record, owner, now);
  if (ownershipOf(own, owner.uid, now) === 'another') throw uidChanged(owner, own.uid);
  return own;
}

/** @param was the uid that the record was made for */
export function uidChanged({ name, uid }: Owner, was: number | undefined): SallyportError {
  return new SallyportError(
    'uid-changed',
    `the record of ${name} was made for uid ${was}, and ${name} is uid ${uid} now: another person, until an administrator decides. Another person: sallyport user forget ${name}. The same person with a new uid: sallyport user move ${name} ${name}`,
  );
}

/** Whose record it is. */
export interface RecordOwner {
  /** Absent: it was written before uids were kept. */
  readonly uid?: number;
  /** Nothing is in it that another person could be refused for (policy/identity.ts). */
  readonly empty: boolean;
}
