import { createDecipheriv, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import { ImportError } from './contract.ts';
import type { Elements } from './pskc-xml.ts';

/** Asks the user for the key of the file in hex, or its password. */
export type AskKey = (what: 'pre-shared key' | 'password') => Promise<string>;

/** Maximum PBKDF2 iterations: about a minute. */
const mostRounds = 10_000_000;
const ivBytes = 16;

export interface Cipher {
  /** Decrypts an element with EncryptedValue and ValueMAC. @throws ImportError */
  open(elements: Elements, place: string): Buffer;
}

/**
 * RFC 6030, 6: AES-CBC with a pre-shared key or one derived from a password by PBKDF2, and an HMAC.
 *
 * Invariants: nothing is decrypted before its MAC is verified; a value without a MAC is rejected.
 *
 * @throws ImportError
 */
export async function cipherOf(container: Elements, ask: AskKey): Promise<Cipher> {
  const key = await keyOf(container, ask);
  const method = algorithmOf(container, 'MACMethod');
  const hash = { 'hmac-sha1': 'sha1', 'hmac-sha256': 'sha256' }[method];
  if (hash === undefined) throw new ImportError('it is encrypted without a supported MAC');
  const macKey = container.has('MACMethod/MACKey/CipherData/CipherValue')
    ? decrypted(key, container, 'MACMethod/MACKey')
    : key;
  return {
    open(elements, place) {
      const value = `${place}/EncryptedValue`;
      const given = base64In(elements, `${place}/ValueMAC`);
      const made = createHmac(hash, macKey)
        .update(base64In(elements, `${value}/CipherData/CipherValue`))
        .digest();
      if (given.length !== made.length || !timingSafeEqual(given, made))
        throw new ImportError('incorrect MAC: the key or password is wrong, or the file was changed');
      return decrypted(key, elements, value);
    },
  };
}

async function keyOf(container: Elements, ask: AskKey): Promise<Buffer> {
  const derivation = 'EncryptionKey/DerivedKey/KeyDerivationMethod';
  if (!container.has(derivation)) {
    const typed = (await ask('pre-shared key')).replaceAll(/[\s:]/g, '');
    if (!/^(?:[0-9a-f]{2})+$/i.test(typed)) throw new ImportError('the pre-shared key is not hexadecimal');
    return Buffer.from(typed, 'hex');
  }
  if (algorithmOf(container, derivation) !== 'pbkdf2')
    throw new ImportError('unsupported key derivation; supported: PBKDF2');
  const parameters = `${derivation}/PBKDF2-params`;
  const salt = base64In(container, `${parameters}/Salt/Specified`);
  const rounds = Number(container.get(`${parameters}/IterationCount`)?.text);
  const length = Number(container.get(`${parameters}/KeyLength`)?.text);
  const prf = algorithmOf(container, `${parameters}/PRF`) || 'hmac-sha1';
  const hash = { 'hmac-sha1': 'sha1', hmacwithsha1: 'sha1', 'hmac-sha256': 'sha256' }[prf];
  if (!(rounds >= 1 && rounds <= mostRounds) || ![16, 24, 32].includes(length) || hash === undefined)
    throw new ImportError('unsupported PBKDF2 parameters');
  return pbkdf2Sync(await ask('password'), salt, Math.floor(rounds), length, hash);
}

function decrypted(key: Buffer, elements: Elements, place: string): Buffer {
  const bits = /^aes(128|192|256)-cbc$/.exec(algorithmOf(elements, `${place}/EncryptionMethod`))?.[1];
  if (bits === undefined) throw new ImportError('unsupported encryption; supported: AES-CBC');
  if (key.length * 8 !== Number(bits)) throw new ImportError(`the key must have ${bits} bits`);
  const bytes = base64In(elements, `${place}/CipherData/CipherValue`);
  try {
    const decipher = createDecipheriv(`aes-${bits}-cbc`, key, bytes.subarray(0, ivBytes));
    return Buffer.concat([decipher.update(bytes.subarray(ivBytes)), decipher.final()]);
  } catch {
    throw new ImportError('cannot decrypt it: the key or password is wrong, or the file was changed');
  }
}

/** The fragment of its URI, in lower case. */
function algorithmOf(elements: Elements, place: string): string {
  return elements.get(place)?.attributes.Algorithm?.split('#').at(-1)?.toLowerCase() ?? '';
}

function base64In(elements: Elements, place: string): Buffer {
  const text = elements.get(place)?.text.replaceAll(/\s/g, '') ?? '';
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) throw new ImportError('a required Base64 value is missing');
  return Buffer.from(text, 'base64');
}
