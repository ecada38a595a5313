import type { Report } from './problem.ts';
import { formatValue } from './problem.ts';
import { isTable } from './unknown-settings.ts';

/**
 * What MUST hold, or browsers refuse every key and every cookie without a word that anybody understands:
 * - each origin is one that may use keys of the relying party;
 * - what is called https reaches the browser as https: by our certificate, or by a proxy that we know;
 * - plain http is spoken with this machine alone.
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
    'nobody would speak TLS with the browser',
  );
}

function checkPlain(portal: Table, path: (string | number)[], origin: string, report: Report): void {
  if (portal.cert_file !== undefined)
    report.add(
      path,
      formatValue(origin),
      'https:// origins where there is a cert_file',
      'what listens speaks TLS alone',
    );
  if (typeof portal.listen === 'string' && !/^(127\.|\[::1\]:)/.test(portal.listen))
    report.add(
      ['portal', 'listen'],
      formatValue(portal.listen),
      `"127.0.0.1:PORT" or "[::1]:PORT" beside the origin ${origin}`,
      'passwords would cross the network in the clear',
    );
}
