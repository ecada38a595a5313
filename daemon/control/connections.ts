/**
 * How many connections there are, and whose.
 *
 * What MUST hold: root is counted apart, so that no number of local users keeps the admin out; one
 * uid cannot take the places of all the others.
 */
export interface Places {
  /** Takes a place; undefined: there is none. @returns how to give it back, once */
  take(uid: number, root: boolean): (() => void) | undefined;
  taken(): number;
}

export function createPlaces(limit: { readonly total: number; readonly perUid: number }): Places {
  const perUid = new Map<number, number>();
  let roots = 0;
  let others = 0;

  const takeRoot = () => {
    if (roots >= limit.total) return undefined;
    roots += 1;
    return () => {
      roots -= 1;
    };
  };

  const takeOther = (uid: number) => {
    const own = perUid.get(uid) ?? 0;
    if (others >= limit.total || own >= limit.perUid) return undefined;
    others += 1;
    perUid.set(uid, own + 1);
    return () => {
      others -= 1;
      const left = (perUid.get(uid) ?? 1) - 1;
      if (left === 0) perUid.delete(uid);
      else perUid.set(uid, left);
    };
  };

  return {
    take: (uid, root) => (root ? takeRoot() : takeOther(uid)),
    taken: () => roots + others,
  };
}
