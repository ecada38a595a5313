import { createHash } from 'node:crypto';
import type { SshSkRecord } from '../../daemon/factors/ssh-sk.ts';

/** FIDO keys of ssh, put together field by field, so that a test can put one together wrongly. */

export const ed25519 = 'sk-ssh-ed25519@openssh.com';
export const ecdsa = 'sk-ecdsa-sha2-nistp256@openssh.com';
export const certificateOf = {
  [ed25519]: 'sk-ssh-ed25519-cert-v01@openssh.com',
  [ecdsa]: 'sk-ecdsa-sha2-nistp256-cert-v01@openssh.com',
} as const;
type Type = SshSkRecord['keyType'];

/** RFC 4251: a string with its length. */
export function framed(bytes: string | Buffer): Buffer {
  const body = Buffer.from(bytes as string);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

export function blobOf(...fields: readonly (string | Buffer)[]): Buffer {
  return Buffer.concat(fields.map(framed));
}

/** The two fields, or one, that are the key itself; each seed is another key. */
export function keyFields(type: Type, seed: string): readonly (string | Buffer)[] {
  const bytes = (name: string) => createHash('sha256').update(`${name} ${seed}`).digest();
  if (type === ed25519) return [bytes('key')];
  return ['nistp256', Buffer.concat([Buffer.from([4]), bytes('x'), bytes('y')])];
}

export function plainBlob(type: Type, seed: string, application = 'ssh:'): Buffer {
  return blobOf(type, ...keyFields(type, seed), application);
}

/** The base64 of a plain key: what a record and LoginFacts hold. */
export function publicKey(seed: string, type: Type = ed25519): string {
  return plainBlob(type, seed).toString('base64');
}

/** A .pub file. */
export function pubLine(seed: string, type: Type = ed25519): string {
  return `${type} ${publicKey(seed, type)} ${seed}@host`;
}

export interface CertificateParts {
  readonly kind?: number;
  readonly principals?: readonly string[];
  readonly behind?: Buffer;
}

export function certificate(type: Type, seed: string, parts: CertificateParts = {}): Buffer {
  const { kind = 1, principals = ['alice'], behind = Buffer.alloc(0) } = parts;
  const number = Buffer.alloc(4);
  number.writeUInt32BE(kind);
  return Buffer.concat([
    blobOf(certificateOf[type], Buffer.alloc(32, 1), ...keyFields(type, seed), 'ssh:'),
    ...[Buffer.alloc(8, 2), number],
    blobOf('an id', blobOf(...principals)),
    ...[Buffer.alloc(8), Buffer.alloc(8, 0xff)],
    blobOf('', blobOf('permit-pty', ''), '', blobOf('ssh-ed25519', Buffer.alloc(32, 3)), Buffer.alloc(64, 4)),
    behind,
  ]);
}

export function sshSkRecord(seed: string, changes: Partial<SshSkRecord> = {}): SshSkRecord {
  return {
    id: `s-${seed}`,
    kind: 'ssh-sk',
    name: seed,
    created: 1_600_000_000_000,
    enabled: true,
    keyType: ed25519,
    publicKey: publicKey(seed),
    ...changes,
  };
}
