/**
 * What a name as typed is counted by, before the name service has said whose it is.
 *
 * Invariant: capitals make no other name. A directory may take them all for one account, which would otherwise have
 * tries and places once for each of its spellings.
 */
export function nameKey(name: string): string {
  return name.toLowerCase();
}
