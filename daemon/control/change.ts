import type { AuditEvent } from '../audit/event.ts';
import { SallyportError } from '../errors.ts';
import type { FactorRecord } from '../factors/contract.ts';
import { limits } from '../limits.ts';
import type { AccountRecord, Store } from '../store/contract.ts';

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

/**
 * One commit of the change and its event, on condition that the record still is what the proposal
 * rests on; proposed anew from fresh records as often as it meets another commit.
 * @throws SallyportError conflict, and the store's own
 */
export async function commitChange<T>(
  store: Pick<Store, 'account' | 'commit'>,
  account: string,
  propose: (record: AccountRecord | undefined) => Proposal<T> | Promise<Proposal<T>>,
): Promise<T> {
  for (let tries = 0; tries < limits.commitTries; tries += 1) {
    const { value, version } = await store.account(account);
    const proposal = await propose(value);
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
