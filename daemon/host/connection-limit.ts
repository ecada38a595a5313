/**
 * How many connections there are, and whose.
 *
 * Invariants: root and the portal are counted apart, so that no number of local users keeps them out, nor the pages of
 * the portal the admin; one uid cannot take the places of all the others.
 */
export interface ConnectionLimit {
  /** Takes a slot; undefined if none is free. @returns a function that releases it, once */
  take(uid: number, of: Of): (() => void) | undefined;
  taken(): number;
}

export type Of = 'root' | 'portal' | 'others';

export function createConnectionLimit(limit: {
  readonly total: number;
  readonly perUid: number;
  readonly portal: number;
}): ConnectionLimit {
  const perUid = new Map<number, number>();
  const taken: Record<Of, number> = { root: 0, portal: 0, others: 0 };
  const most: Readonly<Record<Of, number>> = { root: limit.total, portal: limit.portal, others: limit.total };

  const takeOf = (of: Of): (() => void) | undefined => {
    if (taken[of] >= most[of]) return undefined;
    taken[of] += 1;
    return () => {
      taken[of] -= 1;
    };
  };

  const takeOther = (uid: number) => {
    const own = perUid.get(uid) ?? 0;
    const release = own >= limit.perUid ? undefined : takeOf('others');
    if (release === undefined) return undefined;
    perUid.set(uid, own + 1);
    return () => {
      release();
      const left = (perUid.get(uid) ?? 1) - 1;
      if (left === 0) perUid.delete(uid);
      else perUid.set(uid, left);
    };
  };

  return {
    take: (uid, of) => (of === 'others' ? takeOther(uid) : takeOf(of)),
    taken: () => taken.root + taken.portal + taken.others,
  };
}
