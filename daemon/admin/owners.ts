import type { ChangeView } from '../api/views.ts';
import type { Account, Accounts } from '../host/accounts.ts';
import { SallyportError } from '../lib/errors.ts';
import type { Exemption } from '../policy/contract.ts';
import { holdsNothing } from '../policy/identity.ts';
import type { AccountRecord, Commit, Store } from '../store/contract.ts';
import { recordOf } from '../store/sealed/record-owner.ts';
import { retryOnConflict } from '../verifier/audited-store.ts';
import { changeEvent } from '../verifier/events.ts';
import { known } from '../verifier/login-accounts.ts';

/** What an administrator decides about a record whose account is gone, or is another person by now. */
export interface Owners {
  /** @throws SallyportError no-such-account: nothing is stored of it; accounts-unavailable */
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
  /** Told of each change, once it is committed. */
  readonly changed: (account: string, exemption: Exemption | undefined) => void;
}

/**
 * Invariants:
 * - it is done on an administrator's word and never by itself, and not while the name service cannot be asked: a
 *   directory that fails looks like one in which the account is gone;
 * - a record goes to another uid only where that was said in so many words;
 * - what one account loses and another gets is one commit, conditional on both records, with an event for each name;
 * - of what lets in without a factor only an exemption goes along, and that only to the same uid.
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
      // One that cannot be looked up may be there, and be somebody's.
      known(await accounts.byName(account, []));
      const owner = known(await accounts.byName(to, []))?.account;
      if (owner === undefined)
        throw new SallyportError(
          'no-such-account',
          `there is no account ${to}; check it with: getent passwd`,
        );
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
  return new SallyportError(
    'no-such-account',
    `nothing is stored of ${account}; sallyport user list shows all`,
  );
}

/** @returns undefined: the commit met another one; decide again */
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
      `${owner.name} has factors or an invite of its own; remove them first: sallyport user forget ${owner.name}`,
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
  const was = uid === undefined ? 'of which no uid was kept' : `which was made for uid ${uid}`;
  return `the factors of ${account}, ${was}, would let their owner in as ${owner.name}, which is uid ${owner.uid}: say yes only if that is the same person`;
}

/** An invite has the old name in its link; what was remembered ends with every change of factors. */
function movedTo({ name, uid }: Account, record: AccountRecord): AccountRecord {
  const { invite: _, exemption, ...rest } = record;
  const kept = exemption !== undefined && record.uid === uid ? { exemption } : {};
  return { ...rest, ...kept, account: name, uid, grants: [] };
}
