/**
 * Puts an entry at the end of a map, which keeps the order of insertion; those that were put longest ago give
 * way. @param most how many may stay
 */
export function setBounded<K, V>(map: Map<K, V>, key: K, value: V, most: number): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= most) break;
    map.delete(oldest);
  }
}

/** The same, with at most `most.own` entries per owner, so that owners do not evict each other's entries. */
export function setBoundedPerOwner<K, V>(
  map: Map<K, V>,
  key: K,
  value: V,
  most: { readonly all: number; readonly own: number },
  isOwn: (value: V) => boolean,
): void {
  const own = [...map].filter(([, other]) => isOwn(other)).map(([held]) => held);
  for (const oldest of own.slice(0, Math.max(0, own.length - most.own + 1))) map.delete(oldest);
  setBounded(map, key, value, most.all);
}
