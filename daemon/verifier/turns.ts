/**
 * Work on one account, one after the other. For speed alone: 64 parallel tries on one account would
 * otherwise meet in the store and be decided again and again. That once is once is the store's doing.
 */
export type InTurn = <T>(account: string, work: () => Promise<T>) => Promise<T>;

export function createTurns(): InTurn {
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
