import { isIP } from 'node:net';

/** What an address is counted by: one subscriber holds a whole IPv6 /64 and can change the rest at will. */
export function networkKey(source: string): string {
  if (isIP(source) !== 6) return source;
  const [head = '', tail] = source.split('::', 2);
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  return [...left, ...Array<string>(gap).fill('0'), ...right].slice(0, 4).join(':');
}
