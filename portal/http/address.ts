import { BlockList, isIP } from 'node:net';

export interface ProxyNetwork {
  readonly family: 'ipv4' | 'ipv6';
  readonly address: string;
  readonly prefix: number;
}

export interface Peer {
  /** The browser's address, as far as it is known. */
  readonly source: string | undefined;
  /** The peer of the connection is one of our reverse proxies. */
  readonly proxied: boolean;
  readonly loopback: boolean;
}

export interface Addresses {
  isProxy(address: string | undefined): boolean;
  peer(address: string | undefined, forwardedFor: string | undefined): Peer;
}

/**
 * The source of a request.
 *
 * Invariants: X-Forwarded-For counts only from a proxy that the configuration names, and only the part that named
 * proxies wrote: it is read from its end, and the first address that is not one of our proxies is the browser's. The
 * browser may have forged everything before that.
 */
export function createAddresses(proxies: readonly ProxyNetwork[]): Addresses {
  const known = new BlockList();
  for (const { address, prefix, family } of proxies) known.addSubnet(address, prefix, family);
  const isProxy = (address: string | undefined): boolean => {
    const plain = canonical(address);
    return plain !== undefined && known.check(plain, isIP(plain) === 4 ? 'ipv4' : 'ipv6');
  };
  return {
    isProxy,
    peer(address, forwardedFor) {
      const direct = canonical(address);
      const loopback = direct === '::1' || (direct?.startsWith('127.') ?? false);
      if (!isProxy(direct)) return { source: direct, proxied: false, loopback };
      let source = direct;
      for (const text of (forwardedFor ?? '').split(',').reverse()) {
        const hop = canonical(text.trim());
        if (hop === undefined) break;
        source = hop;
        if (!isProxy(hop)) break;
      }
      return { source, proxied: true, loopback };
    },
  };
}

/** Maps IPv4-mapped IPv6 to IPv4; undefined if the text is not a literal address. */
export function canonical(text: string | undefined): string | undefined {
  if (text === undefined || isIP(text) === 0) return undefined;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text)?.[1];
  return mapped ?? text.toLowerCase();
}
