import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { securityKeyRequirement } from '../../daemon/api/bounds.ts';
import type { Config } from '../../daemon/client/config.ts';
import { isoLocal } from '../lib/time.ts';
import { lookAtHosts, lookAtPortal } from './configured.ts';
import { type Check, type Finding, finding, type Machine, notChecked, orGood } from './contract.ts';
import { closedTo } from './portal-file-access.ts';

const day = 86_400_000;
/** Automatic renewal happens a month before expiry. */
const soon = 14 * day;

/** The portal's certificate, and the relying party of security keys. */
export const portalCheck: Check = {
  id: 'portal',
  what: 'browsers accept the certificate, and security keys match its name',
  async run(machine) {
    const read = await machine.config();
    if (read.kind !== 'good') return [notChecked('the settings of the portal', 'see the configuration')];
    const { portal, webauthn } = read.config;
    const findings: Finding[] = [...relyingParty(read.config), ...(await lookAtHosts(machine, read.config))];
    if (portal === undefined)
      return orGood(
        findings,
        webauthn === undefined
          ? 'no portal is configured'
          : 'no portal is configured; security keys are used plugged in',
      );
    findings.push(...(await lookAtPortal(machine, read.config)));
    if (portal.tls !== undefined) {
      findings.push(...(await certificate(machine, portal.tls, portal.origins)));
      for (const path of [portal.tls.certFile, portal.tls.keyFile])
        findings.push(...(await closedTo(machine, portal.user, path)));
    }
    return orGood(findings, `for ${portal.origins.join(', ')}`);
  },
};

function relyingParty({ webauthn, realms }: Config): readonly Finding[] {
  if (webauthn === undefined) {
    const waiting = realms.filter(
      ({ require }) => Array.isArray(require) && require.includes(securityKeyRequirement),
    );
    return waiting.map(({ name, line }) =>
      finding(
        'portal.no-relying-party',
        `the realm "${name}" (line ${line}) accepts security keys, but [webauthn] sets no rp_id`,
        'set [webauthn] rp_id to a domain of yours (docs/how-to/set-up-portal.md); it cannot be changed later',
      ),
    );
  }
  if (webauthn.rpId !== 'localhost') return [];
  return [
    finding(
      'portal.localhost',
      '[webauthn] rp_id is "localhost"',
      'before users enrol, set [webauthn] rp_id to a domain of yours; it cannot be changed later',
    ),
  ];
}

async function certificate(
  machine: Machine,
  { certFile, keyFile }: { readonly certFile: string; readonly keyFile: string },
  origins: readonly string[],
): Promise<readonly Finding[]> {
  const [text, secret] = await Promise.all([machine.files.read(certFile), machine.files.read(keyFile)]);
  if (text.kind === 'unseen') return [notChecked(`the certificate ${certFile} (${text.why})`)];
  const parsed = text.kind === 'text' ? parse(() => new X509Certificate(text.text)) : undefined;
  if (parsed === undefined) {
    const what =
      text.kind === 'absent' ? `there is no ${certFile}` : `${certFile} contains no PEM certificate`;
    return [
      finding('portal.certificate-unreadable', what, 'put the certificate there, followed by its chain'),
    ];
  }
  const findings = [...dates(parsed, certFile, machine.now()), ...names(parsed, certFile, origins)];
  if (secret.kind === 'unseen')
    return [...findings, notChecked(`whether ${keyFile} is the key of ${certFile}`)];
  const key = secret.kind === 'text' ? parse((): KeyObject => createPrivateKey(secret.text)) : undefined;
  if (key === undefined || !parsed.checkPrivateKey(key)) {
    const what =
      secret.kind === 'absent' ? `there is no ${keyFile}` : `${keyFile} is not the key of ${certFile}`;
    findings.push(
      finding('portal.certificate-key', what, 'install certificate and key that belong together'),
    );
  }
  return findings;
}

function dates(certificate: X509Certificate, file: string, now: number): readonly Finding[] {
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  const fix = 'renew it, then: systemctl reload sallyport-portal';
  if (now > to) return [finding('portal.certificate-expired', `${file} expired at ${isoLocal(to)}`, fix)];
  if (now < from)
    return [
      finding(
        'portal.certificate-early',
        `${file} is valid only from ${isoLocal(from)}`,
        'check the clock: date',
      ),
    ];
  return to - now < soon
    ? [finding('portal.certificate-ends', `${file} expires at ${isoLocal(to)}`, fix)]
    : [];
}

function names(certificate: X509Certificate, file: string, origins: readonly string[]): readonly Finding[] {
  const hosts = origins.map((origin) => new URL(origin).hostname.replace(/^\[|\]$/g, ''));
  const fits = (host: string) =>
    isIP(host) === 0 ? certificate.checkHost(host) !== undefined : certificate.checkIP(host) !== undefined;
  const strange = hosts.filter((host) => !fits(host));
  return strange.map((host) =>
    finding(
      'portal.certificate-name',
      `${file} is not valid for ${host}`,
      'get a certificate that covers every origin of [portal]',
    ),
  );
}

function parse<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}
