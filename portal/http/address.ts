import { BlockList, isIP } from 'node:net';

export interface ProxyNetwork {
  readonly family: 'ipv4' | 'ipv6';
  readonly address: string;
  readonly prefix: number;
}

export interface Peer {
  /** Where the browser is, as far as it can be known. */
  readonly source: string | undefined;
  /** The other end of the connection is one of our reverse proxies. */
  readonly proxied: boolean;
  readonly loopback: boolean;
}

export interface Addresses {
  isProxy(address: string | undefined): boolean;
  peer(address: string | undefined, forwardedFor: string | undefined): Peer;
}

/**
 * Where a request comes from.
 *
 * What MUST hold: X-Forwarded-For counts from a proxy that the configuration names, and of what it says only
 * what a named proxy has written: it is read from its end, where the nearest one has written, and the first
 * address that is no proxy's is the browser's. What stands before that the browser may have made up.
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

/** IPv4 written as IPv6 as IPv4; undefined for what is no literal address. */
export function canonical(text: string | undefined): string | undefined {
  if (text === undefined || isIP(text) === 0) return undefined;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text)?.[1];
  return mapped ?? text.toLowerCase();
}
