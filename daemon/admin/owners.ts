import type { ChangeView } from '../api/views.ts';
import type { Account, Accounts } from '../host/contract.ts';
import { SallyportError } from '../lib/errors.ts';
import type { Exemption } from '../policy/contract.ts';
import { holdsNothing } from '../policy/identity.ts';
import type { AccountRecord, Commit, Store } from '../store/contract.ts';
import { recordOf } from '../store/sealed/record-owner.ts';
import { known } from '../verifier/assessment.ts';
import { retryOnConflict } from '../verifier/audited-store.ts';
import { changeEvent } from '../verifier/events.ts';

/** What an administrator decides about a record whose account was deleted, or belongs to another user now. */
export interface Owners {
  /** @throws SallyportError no-such-account: there is no record; accounts-unavailable */
  forget(actor: string, account: string): Promise<ChangeView>;
  /**
   * @param to canonical name of an account that exists
   * @throws SallyportError no-such-account, accounts-unavailable, has-record, yes-needed
   */
  move(actor: string, account: string, to: string, isConfirmed: boolean): Promise<ChangeView>;
}

export interface OwnerOptions {
  readonly store: Pick<Store, 'account' | 'commit'>;
  readonly accounts: Pick<Accounts, 'byName'>;
  readonly now: () => number;
  /** Called after each committed change. */
  readonly changed: (account: string, exemption: Exemption | undefined) => void;
}

/**
 * Invariants:
 * - only an administrator's request does it, and never while the name service is unavailable: a failing directory
 *   service looks like one without the account;
 * - a record moves to another uid only if that was confirmed explicitly;
 * - removal from one account and addition to the other are one commit, conditional on both records, with an event for
 *   each name;
 * - of everything that allows logins without a factor only an exemption moves along, and only to the same uid.
 */
export function createOwners(options: OwnerOptions): Owners {
  const { store, accounts, now, changed } = options;
  return {
    async forget(actor, account) {
      known(await accounts.byName(account, []));
      await retryOnConflict(async () => {
        const { value, version } = await store.account(account);
        if (value === undefined) throw nothingStored(account);
        const event = changeEvent('user-forgotten', { ...said(actor, now()), account });
        const commit = { accounts: [{ account, version, write: null }], events: [event] };
        return (await store.commit(commit)) === 'committed' ? true : undefined;
      });
      changed(account, undefined);
      return { account, changed: true };
    },
    async move(actor, account, to, isConfirmed) {
      // An account that cannot be looked up may exist, and belong to a user.
      known(await accounts.byName(account, []));
      const owner = known(await accounts.byName(to, []))?.account;
      if (owner === undefined)
        throw new SallyportError('no-such-account', `account "${to}" not found; check: getent passwd ${to}`);
      const moved = await retryOnConflict(() => tryMove(options, actor, account, owner, isConfirmed));
      changed(account, undefined);
      changed(owner.name, moved.exemption);
      return { account: owner.name, changed: true };
    },
  };
}

function said(actor: string, at: number) {
  return { outcome: 'done', reason: 'by-admin', at, actor } as const;
}

function nothingStored(account: string): SallyportError {
  return new SallyportError('no-such-account', `nothing is stored for ${account}; run: sallyport user list`);
}

/** @returns undefined on a conflict: decide again */
async function tryMove(
  { store, now }: OwnerOptions,
  actor: string,
  account: string,
  owner: Account,
  isConfirmed: boolean,
): Promise<AccountRecord | undefined> {
  const { value, version } = await store.account(account);
  if (value === undefined) throw nothingStored(account);
  const isRename = account !== owner.name;
  const place = isRename ? await store.account(owner.name) : undefined;
  if (place?.value !== undefined && !holdsNothing(recordOf(place.value, owner, now()), now()))
    throw new SallyportError(
      'has-record',
      `${owner.name} already has factors or an invite; remove them first: sallyport user forget ${owner.name}`,
    );
  const isSame = value.uid === owner.uid;
  if (!isSame && !isConfirmed) throw new SallyportError('yes-needed', otherUid(value, owner));
  const write = movedTo(owner, value);
  const event = (name: string, other: string) => ({
    ...changeEvent('user-moved', {
      ...said(actor, now()),
      ...(isSame ? {} : { reason: 'new-uid' }),
      account: name,
    }),
    ...(isRename ? { other } : {}),
  });
  const commit: Commit =
    place === undefined
      ? { accounts: [{ account, version, write }], events: [event(account, account)] }
      : {
          accounts: [
            { account, version, write: null },
            { account: owner.name, version: place.version, write },
          ],
          events: [event(account, owner.name), event(owner.name, account)],
        };
  return (await store.commit(commit)) === 'committed' ? write : undefined;
}

function otherUid({ account, uid }: AccountRecord, owner: Account): string {
  const was = uid === undefined ? 'without a recorded uid' : `created for uid ${uid}`;
  return `the factors of ${account}, ${was}, would let their owner log in as ${owner.name}, uid ${owner.uid}: confirm only if that is the same person`;
}

/** An invite has the old name in its link; every change of factors revokes remembered logins. */
function movedTo({ name, uid }: Account, record: AccountRecord): AccountRecord {
  const { invite: _, exemption, ...rest } = record;
  const kept = exemption !== undefined && record.uid === uid ? { exemption } : {};
  return { ...rest, ...kept, account: name, uid, grants: [] };
}
