import { SallyportError } from '../../lib/errors.ts';
import { holdsNothing, ownershipOf } from '../../policy/identity.ts';
import { type AccountRecord, emptyRecord } from '../contract.ts';

/** Owner of the wanted record: the account as NSS reports it now. */
export interface Owner {
  readonly name: string;
  readonly uid: number;
}

/**
 * The record that applies to the account as it is now: an empty one if there is no record, or if the record is
 * empty and belongs to another uid. Any other record of another uid is returned as it is; policy refuses it
 * (policy/identity.ts).
 */
export function recordOf(
  record: AccountRecord | undefined,
  { name, uid }: Owner,
  now: number,
): AccountRecord {
  if (record === undefined || ownershipOf(record, uid, now) === 'empty') return emptyRecord(name, now, uid);
  // It contains nothing that could belong to another person.
  return record.uid === undefined && holdsNothing(record, now) ? { ...record, uid } : record;
}

/**
 * The same, for a change outside a login.
 * @throws SallyportError uid-changed: the record belongs to another uid
 */
export function ownRecord(record: AccountRecord | undefined, owner: Owner, now: number): AccountRecord {
  const own = recordOf(record, owner, now);
  if (ownershipOf(own, owner.uid, now) === 'another') throw uidChanged(owner, own.uid);
  return own;
}

/** @param was the uid that the record was created for */
export function uidChanged({ name, uid }: Owner, was: number | undefined): SallyportError {
  return new SallyportError(
    'uid-changed',
    `the record of ${name} was created for uid ${was}, and ${name} is uid ${uid} now: another person, until an administrator decides. Another person: sallyport user forget ${name}. The same person with a new uid: sallyport user move ${name} ${name}`,
  );
}

/** Owner of a stored record. */
export interface RecordOwner {
  /** Absent: the record was written before uids were stored. */
  readonly uid?: number;
  /** It contains nothing for which another person could be refused (policy/identity.ts). */
  readonly empty: boolean;
}
