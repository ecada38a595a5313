import { withDeadline } from '../lib/deadline.ts';
import { messageOf } from '../lib/errors.ts';
import { limits } from '../limits.ts';
import type { AccountKey, LocalAccount, LookupAccount, NssAnswer } from './addon.ts';
import type { AccountLookup, Accounts } from './contract.ts';

export interface AccountsOptions {
  readonly lookup: LookupAccount;
  /** Asked first where no membership is wanted: most accounts that log in are local. */
  readonly local?: LocalAccount | undefined;
  /** Milliseconds after which NSS counts as unavailable. */
  readonly waitMs?: number;
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
  const { lookup, local, waitMs = limits.nssWait } = options;

  async function ask(key: AccountKey, groups: readonly string[]): Promise<AccountLookup> {
    const known = [...new Set(groups)].filter(canBeAsked);
    const found = known.length === 0 ? local?.(key) : undefined;
    return evaluateLookup(found ?? (await answerOf(() => lookup(key, known, waitMs), waitMs)), key, groups);
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
