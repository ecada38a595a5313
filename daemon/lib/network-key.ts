import { isIP } from 'node:net';

/**
 * What an address is counted by, wherever limits are kept per source: one subscriber holds a whole IPv6 /64 and can
 * change the rest at will.
 *
 * Invariants:
 * - all spellings of one address have one key: case, zeros, zone, an IPv4 address written as IPv6;
 * - text that is no literal address ("uid:1000") is its own key, which no address has.
 */
export function networkKey(source: string): string {
  if (isIP(source) !== 6) return source;
  const groups = groupsOf(source.split('%')[0] ?? '');
  const [low = 0, high = 0] = [groups[7], groups[6]];
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (isMapped) return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

/** Eight of an address that isIP calls one. */
function groupsOf(address: string): readonly number[] {
  const [head = '', tail] = address.split('::', 2);
  const before = numbersIn(head);
  const after = tail === undefined ? [] : numbersIn(tail);
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => 0);
  return [...before, ...zeros, ...after];
}

function numbersIn(text: string): readonly number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

/**
 * What a name as typed is counted by, before the name service has said whose it is.
 *
 * Invariant: capitals make no other name. A directory may take them all for one account, which would otherwise have
 * attempts and slots once for each of its spellings.
 */
export function nameKey(name: string): string {
  return name.toLowerCase();
}
