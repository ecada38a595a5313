import { randomBytes, sign } from 'node:crypto';
import { es256, type KeyPair, newKeyPair } from './keys.ts';

/** A certificate with the key that it speaks of: as DER. */
export interface Certified extends KeyPair {
  readonly certificate: Buffer;
  /** Of the one that signed it. */
  readonly issuer: string;
  readonly subject: string;
}

const oids = {
  country: '550406',
  organisation: '55040a',
  unit: '55040b',
  commonName: '550403',
  basicConstraints: '551d13',
  keyUsage: '551d0f',
  ecdsaSha256: '2a8648ce3d040302',
  aaguid: '2b0601040182e51c010104',
  crlDistributionPoints: '551d1f',
};

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length =
    body.length < 0x80
      ? Buffer.of(body.length)
      : body.length < 0x100
        ? Buffer.of(0x81, body.length)
        : Buffer.of(0x82, body.length >>> 8, body.length & 0xff);
  return Buffer.concat([Buffer.of(tag), length, body]);
}

const sequence = (...parts: readonly Buffer[]) => der(0x30, ...parts);
const oid = (hex: string) => der(0x06, Buffer.from(hex, 'hex'));
const yes = der(0x01, Buffer.of(0xff));

function nameOf(commonName: string): Buffer {
  const parts = [
    [oids.country, 'FR'],
    [oids.organisation, 'Sallyport'],
    [oids.unit, 'Authenticator Attestation'],
    [oids.commonName, commonName],
  ] as const;
  const texts = parts.map(([id, text]) =>
    der(0x31, sequence(oid(id), der(id === oids.country ? 0x13 : 0x0c, Buffer.from(text)))),
  );
  return sequence(...texts);
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [yes] : []), der(0x04, value));
}

interface Wish {
  readonly subject: string;
  readonly aaguid?: Buffer;
  /** Where a list of what was revoked would be. */
  readonly crl?: string;
  /** None: it signs itself, and may sign others. */
  readonly issuer?: Certified;
}

function crlAt(url: string): Buffer {
  return sequence(sequence(der(0xa0, der(0xa0, der(0x86, Buffer.from(url))))));
}

function certify({ subject, aaguid, crl, issuer }: Wish): Certified {
  const keys = newKeyPair(es256);
  const algorithm = sequence(oid(oids.ecdsaSha256));
  const isCa = issuer === undefined;
  const extensions = [
    extension(oids.basicConstraints, true, sequence(...(isCa ? [yes] : []))),
    extension(oids.keyUsage, true, der(0x03, isCa ? Buffer.of(2, 0x04) : Buffer.of(7, 0x80))),
    ...(aaguid === undefined ? [] : [extension(oids.aaguid, false, der(0x04, aaguid))]),
    ...(crl === undefined ? [] : [extension(oids.crlDistributionPoints, false, crlAt(crl))]),
  ];
  const signed = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.concat([Buffer.of(0x01), randomBytes(8)])),
    algorithm,
    nameOf(issuer?.subject ?? subject),
    sequence(der(0x17, Buffer.from('200101000000Z')), der(0x17, Buffer.from('491231235959Z'))),
    nameOf(subject),
    keys.publicKey.export({ format: 'der', type: 'spki' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', signed, issuer?.privateKey ?? keys.privateKey);
  const certificate = sequence(signed, algorithm, der(0x03, Buffer.of(0), signature));
  return { ...keys, certificate, issuer: issuer?.subject ?? subject, subject };
}

/** A root that attestation certificates can be made from. */
export function newRoot(subject = 'Sallyport test root'): Certified {
  return certify({ subject });
}

/** What a maker burns into a batch of keys. @param aaguid none for U2F. @param crl a URL */
export function newAttestationCertificate(root: Certified, aaguid?: Buffer, crl?: string): Certified {
  return certify({
    subject: 'Sallyport test key',
    issuer: root,
    ...(aaguid === undefined ? {} : { aaguid }),
    ...(crl === undefined ? {} : { crl }),
  });
}
