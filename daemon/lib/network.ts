import { isIP } from 'node:net';

export type Family = 'ipv4' | 'ipv6';

/** A network in canonical form: no host bits, IPv4-mapped IPv6 as IPv4, IPv6 as RFC 5952 writes it. */
export interface Network {
  readonly family: Family;
  readonly address: string;
  readonly prefix: number;
}

interface Address {
  readonly family: Family;
  readonly value: bigint;
  /** Of a link-local address: "eth0" in fe80::1%eth0. */
  readonly zone?: string;
}

export type NetworkText =
  | { readonly ok: true; readonly network: Network }
  | {
      readonly ok: false;
      readonly why: 'not-literal' | 'prefix' | 'host-bits';
      /** host-bits: the network that was probably meant. */
      readonly network?: Network;
    };

const bitsOf = { ipv4: 32, ipv6: 128 } as const;
const mapped = 0xffffn;

/** `text` in canonical form when it is a literal address, else undefined; never asks a name server. */
export function canonicalAddress(text: string): string | undefined {
  const address = parseAddress(text);
  if (address === undefined) return undefined;
  const plain = format(address.family, address.value);
  return address.zone === undefined ? plain : `${plain}%${address.zone}`;
}

/** Reads "192.0.2.7", "10.0.0.0/8", "2001:db8::/32", "::ffff:10.0.0.0/104". */
export function parseNetwork(text: string): NetworkText {
  const slash = text.indexOf('/');
  const written = slash < 0 ? text : text.slice(0, slash);
  const address = parseAddress(written);
  if (address === undefined || address.zone !== undefined) return { ok: false, why: 'not-literal' };
  // An IPv4 address written as IPv6 has its prefix counted in IPv6 bits.
  const shift = address.family === 'ipv4' && written.includes(':') ? 96 : 0;
  const bits = bitsOf[address.family];
  let prefix: number = bits;
  if (slash >= 0) {
    const digits = text.slice(slash + 1);
    if (!/^(0|[1-9]\d{0,2})$/.test(digits)) return { ok: false, why: 'prefix' };
    prefix = Number(digits) - shift;
    if (prefix < 0 || prefix > bits) return { ok: false, why: 'prefix' };
  }
  const hostBits = BigInt(bits - prefix);
  const base = (address.value >> hostBits) << hostBits;
  const network = { family: address.family, address: format(address.family, base), prefix };
  if (base !== address.value) return { ok: false, why: 'host-bits', network };
  return { ok: true, network };
}

/** Whether a literal address lies in the network. Text that is no literal address lies in none. */
export function contains(network: Network, text: string): boolean {
  const address = parseAddress(text);
  if (address === undefined || address.family !== network.family) return false;
  const { first, last } = rangeOf(network);
  return first <= address.value && address.value <= last;
}

/** First and last address as numbers. */
export function rangeOf(network: Network): { readonly first: bigint; readonly last: bigint } {
  const first = parseAddress(network.address)?.value ?? 0n;
  const size = 1n << BigInt(bitsOf[network.family] - network.prefix);
  return { first, last: first + size - 1n };
}

export function formatNetwork(network: Network): string {
  return network.prefix === bitsOf[network.family] ? network.address : `${network.address}/${network.prefix}`;
}

function parseAddress(text: string): Address | undefined {
  switch (isIP(text)) {
    case 4:
      return { family: 'ipv4', value: ipv4Value(text) };
    case 6: {
      const [plain = '', zone] = text.split('%', 2);
      const value = ipv6Value(plain);
      if (zone !== undefined) return zone.length > 32 ? undefined : zoned(value, zone);
      if (value >> 32n === mapped) return { family: 'ipv4', value: value & 0xffffffffn };
      return { family: 'ipv6', value };
    }
    default:
      return undefined;
  }
}

/** Only link-local addresses (fe80::/10, RFC 4007) mean something else on another link. */
function zoned(value: bigint, zone: string): Address | undefined {
  return value >> 118n === 0x3fan ? { family: 'ipv6', value, zone } : undefined;
}

function ipv4Value(text: string): bigint {
  return text.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

function ipv6Value(text: string): bigint {
  const [head = '', tail] = text.split('::', 2);
  const before = groupsOf(head);
  const after = tail === undefined ? [] : groupsOf(tail);
  const missing = Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...new Array<bigint>(missing).fill(0n), ...after];
  return groups.reduce((sum, group) => (sum << 16n) | group, 0n);
}

function groupsOf(text: string): bigint[] {
  if (text === '') return [];
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return [BigInt(`0x${part}`)];
    const value = ipv4Value(part);
    return [value >> 16n, value & 0xffffn];
  });
}

function format(family: Family, value: bigint): string {
  if (family === 'ipv4') {
    return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 0xffn)).join('.');
  }
  const groups = Array.from({ length: 8 }, (_, i) => (value >> BigInt(112 - 16 * i)) & 0xffffn);
  const { start, length } = longestZeros(groups);
  const hex = (part: readonly bigint[]) => part.map((group) => group.toString(16)).join(':');
  if (length < 2) return hex(groups);
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

/** RFC 5952, 4.2: the longest run of zero groups is shortened, the first of equals. */
function longestZeros(groups: readonly bigint[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0n) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
