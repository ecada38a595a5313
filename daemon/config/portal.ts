import { isIP } from 'node:net';
import * as v from 'valibot';
import { parseNetwork } from '../lib/network.ts';
import type { PortalConfig } from './contract.ts';
import * as field from './fields.ts';
import { formatValue, type Report } from './problem.ts';
import { isTable } from './unknown-settings.ts';

/**
 * Invariants, without which browsers reject every security key and cookie with an obscure error:
 * - each origin is one that may use keys of the relying party;
 * - what is called https reaches the browser as https: by our certificate, or by a proxy that we know;
 * - plain http is used only with this machine.
 * Works on what was written, so that one bad key does not hide the others.
 */
export function checkPortal(document: unknown, report: Report): void {
  if (!isTable(document) || !isTable(document.portal)) return;
  const { portal, webauthn } = document;
  if (webauthn === undefined)
    report.add(
      ['portal'],
      'no [webauthn] beside it',
      'a portal with [webauthn] rp_id = "…"',
      'security keys are made for a relying party, which is a domain that the origins of the portal share',
    );
  checkPair(portal, report);
  const origins = Array.isArray(portal.origins) ? portal.origins : [];
  const rpId = isTable(webauthn) && typeof webauthn.rp_id === 'string' ? webauthn.rp_id : undefined;
  const seen = new Set<string>();
  origins.forEach((origin: unknown, index) => {
    if (typeof origin !== 'string' || !URL.canParse(origin)) return;
    const path = ['portal', 'origins', index];
    if (seen.has(origin)) report.add(path, formatValue(origin), 'each origin once');
    seen.add(origin);
    const { hostname, protocol } = new URL(origin);
    if (rpId !== undefined && hostname !== rpId && !hostname.endsWith(`.${rpId}`))
      report.add(
        path,
        formatValue(origin),
        `an origin of ${rpId}, or of a host below it`,
        `browsers use keys of [webauthn] rp_id = "${rpId}" nowhere else`,
      );
    if (protocol === 'https:') checkSecure(portal, path, origin, report);
    else checkPlain(portal, path, origin, report);
  });
}

type Table = Record<string, unknown>;

function checkPair(portal: Table, report: Report): void {
  const [has, lacks] = portal.cert_file === undefined ? ['key_file', 'cert_file'] : ['cert_file', 'key_file'];
  if (portal[has] === undefined || portal[lacks] !== undefined) return;
  report.add(
    ['portal', lacks],
    'nothing',
    'cert_file and key_file together, or neither',
    'a certificate is of use only with its key',
  );
}

function checkSecure(portal: Table, path: (string | number)[], origin: string, report: Report): void {
  const proxies = Array.isArray(portal.proxies) ? portal.proxies : [];
  if (portal.cert_file !== undefined || proxies.length > 0) return;
  report.add(
    path,
    formatValue(origin),
    'https with cert_file and key_file, or behind a reverse proxy that proxies names',
    'otherwise the browser gets no TLS',
  );
}

function checkPlain(portal: Table, path: (string | number)[], origin: string, report: Report): void {
  if (portal.cert_file !== undefined)
    report.add(
      path,
      formatValue(origin),
      'https:// origins where there is a cert_file',
      'the listener accepts only TLS',
    );
  if (typeof portal.listen === 'string' && !/^(127\.|\[::1\]:)/.test(portal.listen))
    report.add(
      ['portal', 'listen'],
      formatValue(portal.listen),
      `"127.0.0.1:PORT" or "[::1]:PORT" beside the origin ${origin}`,
      'passwords would cross the network in the clear',
    );
}

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
