import { isIP } from 'node:net';
import * as v from 'valibot';
import { parseNetwork } from '../lib/network.ts';
import type { PortalConfig } from './contract.ts';
import * as field from './fields.ts';

/** The table [portal]. What its keys say to each other and to [webauthn] is check-portal.ts. */

/** As browsers write it in `Origin`: lower case, no default port, nothing behind the port. */
const origin = field.reads(
  '"https://login.example.org", with a port where it is not 443, or "http://localhost:PORT" to try things out; ' +
    'in lower case and without anything behind',
  (input) => {
    if (typeof input !== 'string' || input.length > 280 || !URL.canParse(input)) return undefined;
    const { origin: asSent, protocol, hostname } = new URL(input);
    if (asSent !== input) return undefined;
    return protocol === 'https:' || (protocol === 'http:' && hostname === 'localhost') ? input : undefined;
  },
);

const listen = field.reads<PortalConfig['listen']>(
  'a literal address and a port: "127.0.0.1:8443", "[::1]:8443"; names are not looked up',
  (input) => {
    const [, bracketed, plain, port] =
      /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([1-9]\d{0,4})$/i.exec(typeof input === 'string' ? input : '') ?? [];
    const address = bracketed ?? plain ?? '';
    const isAddress = isIP(address) === (bracketed === undefined ? 4 : 6);
    return isAddress && Number(port) <= 65_535 ? { address, port: Number(port) } : undefined;
  },
);

const proxyAllowed = 'a literal address ("192.0.2.7") or a network ("10.0.0.0/8", "2001:db8::/32")';

const proxy = field.reads<PortalConfig['proxies'][number]>(
  (input) => {
    const read = typeof input === 'string' ? parseNetwork(input) : undefined;
    if (read?.ok !== false || read.network === undefined) return proxyAllowed;
    return `${proxyAllowed}; the network is "${read.network.address}/${read.network.prefix}"`;
  },
  (input) => {
    const read = typeof input === 'string' ? parseNetwork(input) : undefined;
    return read?.ok ? read.network : undefined;
  },
);

export const portalSchema = v.strictObject(
  {
    origins: field.listOf('origins of the portal', origin, 1),
    listen: v.optional(listen),
    cert_file: v.optional(field.filePath),
    key_file: v.optional(field.filePath),
    proxies: v.optional(field.listOf('addresses and networks of reverse proxies', proxy, 0)),
    name: v.optional(field.issuerName),
    user: v.optional(field.userName),
  },
  'a table',
);

export type PortalTable = v.InferOutput<typeof portalSchema>;
