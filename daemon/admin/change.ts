import type { AuditEvent } from '../audit/event.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import type { Accounts } from '../host/accounts.ts';
import { SallyportError } from '../lib/errors.ts';
import { limits } from '../limits.ts';
import { type AccountRecord, emptyRecord, type Store } from '../store/contract.ts';
import { ownRecord } from '../store/sealed/record-owner.ts';

/** What one look at fresh records made of a change. */
export type Proposal<T> =
  /** It is so already. */
  | { readonly kind: 'nothing'; readonly result: T }
  /** `write` left out: the event alone is stored. */
  | {
      readonly kind: 'change';
      readonly write?: AccountRecord;
      readonly event: AuditEvent;
      readonly result: T;
    };

/** What changes are made with. */
export interface ChangeOptions {
  readonly store: Pick<Store, 'account' | 'commit'>;
  readonly accounts: Pick<Accounts, 'byName'>;
  readonly now: () => number;
}

/**
 * One commit of the change and its event, on condition that the record still is what the proposal
 * rests on; proposed again from fresh records as often as it meets another commit.
 *
 * Invariant: what is meant for an account as it is now never goes into the record of another uid. An account that
 * NSS does not know, or cannot look up, keeps the uid that its record has.
 *
 * @param propose is given the record as it counts for the account, and an empty one for where there is none
 * @throws SallyportError conflict, uid-changed, and the store's own
 */
export async function commitChange<T>(
  { store, accounts, now }: ChangeOptions,
  account: string,
  propose: (record: AccountRecord | undefined, empty: AccountRecord) => Proposal<T> | Promise<Proposal<T>>,
): Promise<T> {
  const found = await accounts.byName(account, []);
  const owner = found.status === 'found' && found.account.name === account ? found.account : undefined;
  for (let tries = 0; tries < limits.commitTries; tries += 1) {
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
  throw new SallyportError('conflict', 'the account was changed again and again meanwhile; try once more');
}

/** The record with these factors. Every change of factors ends what is remembered. */
export function withFactors(record: AccountRecord, factors: readonly FactorRecord[]): AccountRecord {
  return { ...record, factors, grants: [] };
}

/** Counts at 0, both locks lifted, nothing remembered. */
export function unlocked(record: AccountRecord): AccountRecord {
  return { ...record, lock: { codes: 0, any: 0 }, grants: [] };
}

/** @throws SallyportError no-such-factor */
export function factorIn(record: AccountRecord | undefined, id: string): FactorRecord {
  const factor = record?.factors.find((candidate) => candidate.id === id);
  if (factor !== undefined) return factor;
  throw new SallyportError(
    'no-such-factor',
    'the account has no such factor; "sallyport factor list" shows which it has',
  );
}
