import { withDeadline } from '../lib/deadline.ts';
import { messageOf } from '../lib/errors.ts';
import type { Slots } from '../lib/slots.ts';
import { limits } from '../limits.ts';
import type { AccountKey, LookupAccount, NssAnswer } from './addon.ts';
import { defaultSessionsDir, readSessionIsLocal } from './logind.ts';

/** An account as NSS knows it. */
export interface Account {
  /** pw_name: the one canonical name for look-ups, counters, policy and audit. */
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** unresolved: NSS failed, or does not know the group; an unavailable backend looks the same. */
export type Membership = 'member' | 'not-member' | 'unresolved';

export type AccountLookup =
  | { readonly status: 'found'; readonly account: Account; readonly groups: ReadonlyMap<string, Membership> }
  | { readonly status: 'absent' }
  /** NSS said that it cannot tell, hung past the deadline, or too many questions wait. */
  | { readonly status: 'unavailable'; readonly why: string };

export interface Accounts {
  /** @param groups names whose membership is wanted */
  byName(name: string, groups: readonly string[]): Promise<AccountLookup>;
  byUid(uid: number, groups: readonly string[]): Promise<AccountLookup>;
  /** logind: the session exists, is active and not remote. Unknown is false. */
  sessionIsLocal(session: string): Promise<boolean>;
}

export interface AccountsOptions {
  readonly lookup: LookupAccount;
  /** Milliseconds after which NSS counts as unavailable. */
  readonly waitMs?: number;
  /** Where logind keeps its sessions. */
  readonly sessionsDir?: string;
}

const highestUid = 0xffff_fffe;
const noAccount: AccountLookup = { status: 'absent' };

/**
 * Accounts, asked of NSS with a deadline.
 *
 * Invariants: an account is absent, or not a member, only if NSS says so. An error, a source that hangs, a full queue
 * and an answer that makes no sense are `unavailable` or `unresolved`, so that no realm is passed over because of them.
 */
export function createAccounts(options: AccountsOptions): Accounts {
  const { lookup, waitMs = limits.nssWait, sessionsDir = defaultSessionsDir } = options;

  async function ask(key: AccountKey, groups: readonly string[]): Promise<AccountLookup> {
    const known = [...new Set(groups)].filter(canBeAsked);
    return evaluateLookup(await answerOf(() => lookup(key, known, waitMs), waitMs), key, groups);
  }

  return {
    async byName(name, groups) {
      // What cannot be the name of an account is not worth a question, and a NUL would cut it short.
      return canBeAsked(name) ? ask({ name }, groups) : noAccount;
    },
    async byUid(uid, groups) {
      const valid = Number.isInteger(uid) && uid >= 0 && uid <= highestUid;
      return valid ? ask({ uid }, groups) : noAccount;
    },
    sessionIsLocal: (session) => readSessionIsLocal(sessionsDir, session),
  };
}

/** Names contain no control characters and no separators of passwd(5) and group(5). */
function canBeAsked(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return name !== '' && Buffer.byteLength(name) <= limits.userLength && !/[\u0000-\u001f\u007f:]/.test(name);
}

async function answerOf(lookup: () => Promise<NssAnswer>, waitMs: number): Promise<NssAnswer> {
  try {
    return await withDeadline(lookup(), waitMs, () => unavailable(`NSS gave no answer within ${waitMs} ms`));
  } catch (error) {
    return unavailable(messageOf(error));
  }
}

/**
 * The same accounts, for those who may use no more than a part of the threads: a source of NSS that hangs, and
 * a caller that causes such lookups, leaves the others to logins whose first factor is verified.
 * @param owner whose share it is
 */
export function limitedAccounts(accounts: Accounts, slots: Slots, owner: string): Accounts {
  const within = async (ask: () => Promise<AccountLookup>): Promise<AccountLookup> => {
    const ran = await slots.run([owner], limits.nssWait, ask);
    return ran.kind === 'done' ? ran.value : unavailable('too many such questions wait for NSS');
  };
  return {
    ...accounts,
    byName: (name, groups) => within(() => accounts.byName(name, groups)),
    byUid: (uid, groups) => within(() => accounts.byUid(uid, groups)),
  };
}

function unavailable(why: string): NssAnswer & { readonly status: 'unavailable' } {
  return { status: 'unavailable', why };
}

/** The answer for the caller: an account whose name could be mistaken for another one counts as absent. */
function evaluateLookup(answer: NssAnswer, key: AccountKey, groups: readonly string[]): AccountLookup {
  if (answer.status !== 'found') return answer;
  const { name, uid, gid } = answer;
  // U+FFFD is what bytes that are not UTF-8 become: two accounts would share the name.
  if (!canBeAsked(name) || name.includes('\ufffd')) {
    return unavailable(`NSS gave uid ${uid} a name that is empty, too long or not plain text`);
  }
  if ('uid' in key && key.uid !== uid) {
    return unavailable(`NSS answered with uid ${uid} when asked for uid ${key.uid}`);
  }
  const answered = new Map(answer.groups);
  const memberships = groups.map((group) => [group, answered.get(group) ?? 'unresolved'] as const);
  return { status: 'found', account: { name, uid, gid }, groups: new Map(memberships) };
}
