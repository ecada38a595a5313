import type { AccountLookup, Accounts } from '../host/contract.ts';
import type { Slots } from '../lib/slots.ts';
import { limits } from '../limits.ts';

/**
 * The same accounts, for those who may use no more than a part of the threads: a source of NSS that hangs, and
 * a caller that causes such lookups, leaves the others to logins whose first factor is verified.
 * @param owner whose share it is
 */
export function limitedAccounts(accounts: Accounts, slots: Slots, owner: string): Accounts {
  const within = async (ask: () => Promise<AccountLookup>): Promise<AccountLookup> => {
    const ran = await slots.run([owner], limits.nssWait, ask);
    return ran.kind === 'done'
      ? ran.value
      : { status: 'unavailable', why: 'too many such questions wait for NSS' };
  };
  return {
    byName: (name, groups) => within(() => accounts.byName(name, groups)),
    byUid: (uid, groups) => within(() => accounts.byUid(uid, groups)),
  };
}
