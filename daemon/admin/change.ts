import type { AuditEvent } from '../audit/event.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import type { Accounts } from '../host/contract.ts';
import { SallyportError } from '../lib/errors.ts';
import { limits } from '../limits.ts';
import { type AccountRecord, emptyRecord, type Store } from '../store/contract.ts';
import { ownRecord } from '../store/sealed/record-owner.ts';

/** The outcome of one evaluation of a change on fresh records. */
export type Proposal<T> =
  /** No change is needed. */
  | { readonly kind: 'nothing'; readonly result: T }
  /** Without `write` only the event is stored. */
  | {
      readonly kind: 'change';
      readonly write?: AccountRecord;
      readonly event: AuditEvent;
      readonly result: T;
    };

/** The dependencies of changes. */
export interface ChangeOptions {
  readonly store: Pick<Store, 'account' | 'commit'>;
  readonly accounts: Pick<Accounts, 'byName'>;
  readonly now: () => number;
}

/**
 * One commit of the change and its event, on condition that the record is still the one that the proposal was made
 * from; on a conflict the change is proposed again from fresh records. Invariant: a change for an account as it is now
 * never goes into the record of another uid. An account that NSS does not know, or cannot look up, keeps the uid of its
 * record.
 *
 * @param propose receives the record that counts for the account, or an empty one
 * @throws SallyportError conflict, uid-changed, and the store's own
 */
export async function commitChange<T>(
  { store, accounts, now }: ChangeOptions,
  account: string,
  propose: (record: AccountRecord | undefined, empty: AccountRecord) => Proposal<T> | Promise<Proposal<T>>,
): Promise<T> {
  const found = await accounts.byName(account, []);
  const owner = found.status === 'found' && found.account.name === account ? found.account : undefined;
  for (let attempt = 0; attempt < limits.commitTries; attempt += 1) {
    const { value, version } = await store.account(account);
    const own = value === undefined || owner === undefined ? value : ownRecord(value, owner, now());
    const proposal = await propose(own, emptyRecord(account, now(), owner?.uid));
    if (proposal.kind === 'nothing') return proposal.result;
    const written = proposal.write === undefined ? {} : { write: proposal.write };
    const outcome = await store.commit({
      accounts: [{ account, version, ...written }],
      events: [proposal.event],
    });
    if (outcome === 'committed') return proposal.result;
  }
  throw new SallyportError('conflict', 'concurrent changes; try again');
}

/** The record with these factors. Every change of factors revokes remembered logins. */
export function withFactors(record: AccountRecord, factors: readonly FactorRecord[]): AccountRecord {
  return { ...record, factors, grants: [] };
}

/** Failure counts at 0, both lockouts cleared, no remembered logins. */
export function unlocked(record: AccountRecord): AccountRecord {
  return { ...record, lock: { codes: 0, any: 0 }, grants: [] };
}

/** @throws SallyportError no-such-factor */
export function factorIn(record: AccountRecord | undefined, id: string): FactorRecord {
  const factor = record?.factors.find((candidate) => candidate.id === id);
  if (factor !== undefined) return factor;
  throw new SallyportError('no-such-factor', 'factor not found; run: sallyport factor list');
}
