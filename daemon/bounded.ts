/**
 * Puts an entry at the end of a map, which keeps the order of insertion; those that were put longest ago give
 * way. @param most how many may stay
 */
export function putLast<K, V>(map: Map<K, V>, key: K, value: V, most: number): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= most) break;
    map.delete(oldest);
  }
}
