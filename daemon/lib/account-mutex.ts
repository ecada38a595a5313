import { limits } from '../limits.ts';
import { SallyportError } from './errors.ts';

/**
 * Work on one account, one after the other. Performance only: 64 parallel attempts on one account would otherwise
 * conflict with in the store and be decided again and again. The store enforces single use.
 */
export type AccountMutex = <T>(account: string, work: () => Promise<T>) => Promise<T>;

export function createAccountMutex(): AccountMutex {
  const last = new Map<string, Promise<unknown>>();
  return async (account, work) => {
    const before = last.get(account);
    const turn = before === undefined ? work() : before.then(work, work);
    last.set(account, turn);
    try {
      return await turn;
    } finally {
      if (last.get(account) === turn) last.delete(account);
    }
  };
}

/** What a decision lacks, and how to fetch it: a network, a helper or a long computation is waited for. */
export class Outside {
  readonly fetch: () => Promise<unknown>;

  constructor(fetch: () => Promise<unknown>) {
    this.fetch = fetch;
  }
}

/**
 * Decides, and fetches what the decision lacks.
 *
 * Invariants:
 * - whatever others are waited for is fetched while no turn is held: it holds up no one else;
 * - after it all is decided again, from fresh records.
 *
 * @param inTurn undefined: without the mutex
 */
export async function settled<T>(
  work: () => Promise<T | Outside>,
  accountMutex?: (work: () => Promise<T | Outside>) => Promise<T | Outside>,
): Promise<T> {
  for (let attempt = 0; attempt < limits.commitTries; attempt += 1) {
    const said = accountMutex === undefined ? await work() : await accountMutex(work);
    if (!(said instanceof Outside)) return said;
    await said.fetch();
  }
  throw new SallyportError('conflict', 'concurrent changes; try again');
}
