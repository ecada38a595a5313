import type { Configuration } from '../config/in-force.ts';
import { kindOf, summaryOf } from '../factors/kinds.ts';
import { SallyportError } from '../lib/errors.ts';
import { holdsNothing } from '../policy/identity.ts';
import type { AccountRecord, Store } from '../store/contract.ts';
import type { AccountStatuses } from './account-status.ts';
import type { Admin } from './contract.ts';
import type { PresenceOf } from './presence.ts';
import { userLine, viewUser } from './user-view.ts';

export interface AccountReadingOptions {
  readonly configuration: Configuration;
  readonly now: () => number;
  readonly store: Pick<Store, 'account' | 'accounts'>;
  /** Looks accounts up for one page. */
  readonly presence: () => PresenceOf;
  readonly accountStatus: AccountStatuses;
}

/** What administrators read of accounts. */
export function createAccountReading(
  options: AccountReadingOptions,
): Pick<Admin, 'users' | 'user' | 'recordOwner' | 'factors'> {
  const { store, presence, accountStatus } = options;
  const readable = async (account: string, codesToCome = true) => {
    const record = (await store.account(account)).value;
    if (record === undefined || codesToCome) return record;
    return {
      ...record,
      factors: record.factors.map((factor) => kindOf(factor).withoutCodeToCome?.(factor) ?? factor),
    };
  };

  return {
    async users({ after, search, limit, lookUp }) {
      const from = after ?? search;
      const page = await store.accounts({ limit, ...(from === undefined ? {} : { after: from }) });
      const first = after === undefined && search !== undefined ? await exact(store, search) : [];
      const fitting = [...first, ...page.filter(({ account }) => account.startsWith(search ?? ''))];
      const found = fitting.slice(0, limit);
      const last = page.length === limit && fitting.length >= limit ? found.at(-1) : undefined;
      const look = presence();
      const lines = found.map(async (entry) => {
        const line = userLine(entry, options.now());
        const record = 'record' in entry ? entry.record : undefined;
        return lookUp === true ? { ...line, presence: await look(entry.account, record) } : line;
      });
      return {
        users: await Promise.all(lines),
        ...(last === undefined ? {} : { next: last.account }),
      };
    },
    async user(account, codesToCome) {
      return viewUser(
        account,
        await readable(account, codesToCome),
        await accountStatus.of(account),
        options,
      );
    },
    async recordOwner(account) {
      const [found] = await exact(store, account);
      if (found === undefined) return undefined;
      // Its handler says that it is damaged.
      if (!('record' in found)) return { empty: false };
      const { record } = found;
      const empty = holdsNothing(record, options.now());
      return record.uid === undefined ? { empty } : { empty, uid: record.uid };
    },
    factors: async (account, codesToCome) =>
      ((await readable(account, codesToCome))?.factors ?? []).map(summaryOf),
  };
}

type Listed = { readonly account: string } & (
  | { readonly record: AccountRecord }
  | { readonly damaged: string }
);

/** Names from `search` on do not begin with the one that is it. */
async function exact(store: Pick<Store, 'account'>, account: string): Promise<readonly Listed[]> {
  try {
    const record = (await store.account(account)).value;
    return record === undefined ? [] : [{ account, record }];
  } catch (error) {
    // As in a page: a search for a damaged record shows that it is damaged.
    if (error instanceof SallyportError && error.code === 'record-damaged')
      return [{ account, damaged: error.message }];
    throw error;
  }
}
