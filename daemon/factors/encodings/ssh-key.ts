import { createHash } from 'node:crypto';
import { SallyportError } from '../../lib/errors.ts';
import { limits } from '../../limits.ts';

/** Public keys of OpenSSH's FIDO kind, as .pub files and sshd write them (PROTOCOL.u2f, PROTOCOL.certkeys). */
export interface SshSkKey {
  readonly keyType: KeyType;
  /** Base64 of its blob. */
  readonly publicKey: string;
}
export const keyTypes = ['sk-ssh-ed25519@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com'] as const;
type KeyType = (typeof keyTypes)[number];

/** Type of a certificate → type of the key in it. */
const certified: ReadonlyMap<string, KeyType> = new Map([
  ['sk-ssh-ed25519-cert-v01@openssh.com', 'sk-ssh-ed25519@openssh.com'],
  ['sk-ecdsa-sha2-nistp256-cert-v01@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com'],
]);

const curve = 'nistp256';
const lengths = { ed25519: 32, point: 65, serial: 8, time: 8 } as const;
/** SSH2_CERT_TYPE_USER; sshd accepts no other for a login. */
const userCertificate = 1;

/**
 * The FIDO keys that sshd says it has verified in this login (SSH_AUTH_INFO_0), each as the base64 of its plain
 * blob; of a certificate, the key that it certifies.
 *
 * Invariants:
 * - a line counts only if its first word is exactly `publickey`: other methods name keys too;
 * - the outer type, the inner type and the format of the blob agree, to the last byte;
 * - a malformed line gives no key. It never throws, and does not affect other lines.
 */
export function sshSkKeysIn(authInfo: string): readonly string[] {
  const keys = authInfo.split('\n').flatMap((line) => {
    // sshd may append more behind the blob: "signature count = 7".
    const [method, type = '', encoded = ''] = line.split(' ');
    if (method !== 'publickey') return [];
    const blob = decoded(encoded);
    const key = blob && (plainKey(type, blob) ?? certifiedKey(type, blob));
    return key === undefined ? [] : [key.publicKey];
  });
  return [...new Set(keys)];
}

/**
 * The key of a .pub file. The comment behind it is dropped.
 * @throws SallyportError bad-key, which says what was given instead; nothing of it is quoted
 */
export function readSshSkKey(text: string): SshSkKey {
  if (text.includes('PRIVATE KEY'))
    throw bad('this is a private key, which only its owner should have', giveThePub);
  if (text.length > limits.sshKeyText) throw bad('this is too long for a public key', giveThePub);
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const [line] = lines;
  if (line === undefined) throw bad('there is no key in this text text', giveThePub);
  if (lines.length > 1)
    throw bad(`this has ${lines.length} lines, and a public key has one`, 'give one key at a time');
  const [type = '', encoded = ''] = line.trim().split(/[ \t]+/);
  if (certified.has(type))
    throw bad('this is a certificate', 'give the .pub file of the key that it certifies');
  if (!keyTypes.some((known) => known === type)) throw notSk(type, line);
  const blob = decoded(encoded);
  const key = blob && plainKey(type, blob);
  if (key !== undefined) return key;
  throw bad(`the text after ${type} is not a complete key of that type`, giveThePub);
}

const giveThePub = 'give the .pub file that ssh-keygen wrote beside the key';

function bad(what: string, instead: string): SallyportError {
  return new SallyportError('bad-key', `${what}; ${instead}`);
}

function notSk(type: string, line: string): SallyportError {
  if (/^(?:ssh-|ecdsa-|webauthn-)/.test(type))
    return bad(
      'this key is not kept in a security key, so it cannot be a second factor',
      'create one with: ssh-keygen -t ed25519-sk',
    );
  if (keyTypes.some((known) => line.includes(`${known} `)))
    return bad('there are options before the key, as in authorized_keys', giveThePub);
  return bad('this is not a public key of OpenSSH', giveThePub);
}

/** As `ssh-keygen -l` shows it. */
export function fingerprintOf({ publicKey }: SshSkKey): string {
  const digest = createHash('sha256').update(Buffer.from(publicKey, 'base64')).digest('base64');
  return `SHA256:${digest.replace(/=+$/, '')}`;
}

/** undefined unless it is base64 exactly as OpenSSH writes it. Two spellings of one key would be two keys. */
function decoded(encoded: string): Buffer | undefined {
  const blob = Buffer.from(encoded, 'base64');
  return blob.length > 0 && blob.toString('base64') === encoded ? blob : undefined;
}

/** The fields that the two types have between type and application. */
function readKey(type: KeyType, read: Reader): Buffer[] | undefined {
  if (type === 'sk-ssh-ed25519@openssh.com') {
    const key = read.string();
    return key?.length === lengths.ed25519 ? [key] : undefined;
  }
  const [name, point] = [read.string(), read.string()];
  const isPoint = point?.length === lengths.point && point[0] === 4;
  return name?.toString('latin1') === curve && isPoint ? [name, point] : undefined;
}

function plainKey(type: string, blob: Buffer): SshSkKey | undefined {
  const keyType = keyTypes.find((known) => known === type);
  const read = new Reader(blob);
  if (keyType === undefined || read.string()?.toString('latin1') !== type) return undefined;
  if (readKey(keyType, read) === undefined || !isApplication(read.string()) || !read.atEnd) return undefined;
  return { keyType, publicKey: blob.toString('base64') };
}

/** The key that a user's certificate certifies. sshd has verified the authority. */
function certifiedKey(type: string, blob: Buffer): SshSkKey | undefined {
  const keyType = certified.get(type);
  const read = new Reader(blob);
  if (keyType === undefined || read.string()?.toString('latin1') !== type) return undefined;
  if (read.string() === undefined) return undefined;
  const key = readKey(keyType, read);
  const application = read.string();
  if (key === undefined || application === undefined || !isApplication(application)) return undefined;
  const isForUsers = read.bytes(lengths.serial) !== undefined && read.number() === userCertificate;
  // Key id, principals; then times; then critical options, extensions, reserved, authority, signature.
  const parts = [read.string(), read.string(), read.bytes(lengths.time), read.bytes(lengths.time)];
  for (let left = 5; left > 0; left -= 1) parts.push(read.string());
  if (!isForUsers || parts.includes(undefined) || !read.atEnd) return undefined;
  const publicKey = Buffer.concat([Buffer.from(keyType), ...key, application].map(framed));
  return { keyType, publicKey: publicKey.toString('base64') };
}

/** "ssh:", or the application that the key was made for instead. */
function isApplication(bytes: Buffer | undefined): boolean {
  return bytes !== undefined && /^[\x21-\x7e]{1,255}$/.test(bytes.toString('latin1'));
}

function framed(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** RFC 4251, section 5. Past the end every field is undefined. */
class Reader {
  readonly #from: Buffer;
  #at = 0;

  constructor(from: Buffer) {
    this.#from = from;
  }

  get atEnd(): boolean {
    return this.#at === this.#from.length;
  }

  bytes(length: number): Buffer | undefined {
    const end = this.#at + length;
    if (end > this.#from.length) return undefined;
    const taken = this.#from.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  number(): number | undefined {
    return this.bytes(4)?.readUInt32BE();
  }

  string(): Buffer | undefined {
    const length = this.number();
    return length === undefined ? undefined : this.bytes(length);
  }
}
