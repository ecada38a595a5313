import type { PortableFactor } from '../../daemon/api/account-views.ts';
import { ImportError, isObject, type Json } from './contract.ts';

type Key = Extract<PortableFactor, { kind: 'webauthn' }>;

/** A credential as stored by Proxmox's library (webauthn-rs, COSEKey). @throws ImportError */
export function readWebauthn(entry: Json, rpId: string): Omit<Key, 'enabled'> {
  const cred = isObject(entry) ? entry.cred : undefined;
  const id = isObject(entry) ? bytesOf(entry.cred_id) : undefined;
  const counter = isObject(entry) ? entry.counter : undefined;
  const { algorithm, publicKey } = keyOf(cred) ?? {};
  const isCounter = typeof counter === 'number' && counter >= 0 && counter < 2 ** 32;
  if (id === undefined || algorithm === undefined || publicKey === undefined || !isCounter)
    throw new ImportError('a WebAuthn entry has an unsupported kind of key');
  return {
    kind: 'webauthn',
    credentialId: id.toString('base64url'),
    publicKey: publicKey.toString('base64'),
    algorithm,
    counter: Math.floor(counter),
    rpId,
  };
}

function keyOf(cred: Json | undefined): (Pick<Key, 'algorithm'> & { publicKey: Buffer }) | undefined {
  const kinds = isObject(cred) ? cred.key : undefined;
  if (!isObject(kinds)) return undefined;
  const { EC_EC2: curve, EC_OKP: edwards, RSA: rsa } = kinds;
  if (isObject(curve) && curve.curve === 'SECP256R1') {
    const [x, y] = [bytesOf(curve.x), bytesOf(curve.y)];
    return x?.length === 32 && y?.length === 32
      ? { algorithm: 'es256', publicKey: Buffer.concat([x, y]) }
      : undefined;
  }
  if (isObject(edwards) && edwards.curve === 'ED25519') {
    const x = bytesOf(edwards.x);
    return x?.length === 32 ? { algorithm: 'eddsa', publicKey: x } : undefined;
  }
  if (isObject(rsa)) {
    const [n, e] = [bytesOf(rsa.n), bytesOf(rsa.e)];
    return n?.length === 256 && e?.length === 3
      ? { algorithm: 'rs256', publicKey: Buffer.concat([n, e]) }
      : undefined;
  }
  return undefined;
}

/** Base64url, or numbers: it depends on the version. */
function bytesOf(value: Json | undefined): Buffer | undefined {
  if (typeof value === 'string')
    return /^[A-Za-z0-9_+/-]+={0,2}$/.test(value) ? Buffer.from(value, 'base64') : undefined;
  if (!Array.isArray(value) || value.length === 0 || value.length > 1_023) return undefined;
  const isBytes = value.every(
    (byte) => typeof byte === 'number' && Number.isInteger(byte) && byte >= 0 && byte < 256,
  );
  return isBytes ? Buffer.from(value as number[]) : undefined;
}
