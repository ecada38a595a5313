import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import type { Cbor, CborMap } from './cbor.ts';
import { coseAgreementKey } from './keys.ts';
import { Refusal } from './status.ts';

export type PinProtocol = 1 | 2;

/** What a host and the key share for one exchange. */
export interface Shared {
  encrypt(data: Buffer): Buffer;
  decrypt(data: Buffer): Buffer;
  /** Whether this is the MAC of the data under the shared secret. */
  proves(data: Buffer, mac: Buffer): boolean;
}

export const permission = { makeCredential: 0x01, getAssertion: 0x02 } as const;
const allTries = 8;
const triesPerPower = 3;

/** PIN/UV auth protocols one and two: key agreement and what is made of it. */
function agreed(protocol: PinProtocol, secret: Buffer): Shared {
  const zero = Buffer.alloc(32);
  const derived = (what: string) => Buffer.from(hkdfSync('sha256', secret, zero, `CTAP2 ${what} key`, 32));
  const plain = createHash('sha256').update(secret).digest();
  const aes = protocol === 1 ? plain : derived('AES');
  const mac = protocol === 1 ? plain : derived('HMAC');
  const ivLength = protocol === 1 ? 0 : 16;
  return {
    encrypt(data) {
      const iv = randomBytes(ivLength);
      const cipher = createCipheriv('aes-256-cbc', aes, ivLength === 0 ? Buffer.alloc(16) : iv);
      return Buffer.concat([iv, cipher.setAutoPadding(false).update(data)]);
    },
    decrypt(data) {
      if (data.length < ivLength + 16 || data.length % 16 !== 0) throw new Refusal('invalidParameter');
      const iv = ivLength === 0 ? Buffer.alloc(16) : data.subarray(0, ivLength);
      return createDecipheriv('aes-256-cbc', aes, iv).setAutoPadding(false).update(data.subarray(ivLength));
    },
    proves: (data, given) => isMac(protocol, mac, data, given),
  };
}

function isMac(protocol: PinProtocol, key: Buffer, data: Buffer, given: Buffer): boolean {
  const whole = createHmac('sha256', key).update(data).digest();
  const expected = protocol === 1 ? whole.subarray(0, 16) : whole;
  return given.length === expected.length && timingSafeEqual(given, expected);
}

interface Token {
  readonly bytes: Buffer;
  readonly protocol: PinProtocol;
  permissions: number;
  rpId: string | undefined;
  /** A finger on the sensor made it: that counts as the touch of one command. */
  present: boolean;
}

/** The PIN, its tries, and the token that stands for it. */
export class PinState {
  /** SHA-256 of it, the first half; undefined: none is set. */
  private pinHash: Buffer | undefined;
  /** Left before it is blocked for good. */
  retries = allTries;
  private sincePower = 0;
  private agreement = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  private token: Token | undefined;

  constructor(pin: string | undefined) {
    if (pin !== undefined) this.pinHash = hashOf(Buffer.from(pin));
  }

  get isSet(): boolean {
    return this.pinHash !== undefined;
  }

  /** Power is back: three tries again, and a new key to agree with. */
  powerUp(): void {
    this.sincePower = 0;
    this.newAgreement();
    this.token = undefined;
  }

  reset(): void {
    this.pinHash = undefined;
    this.retries = allTries;
    this.powerUp();
  }

  agreementKey(): CborMap {
    return coseAgreementKey(this.agreement.publicKey);
  }

  /** @throws Refusal unless it is a point of P-256 */
  share(protocol: PinProtocol, cose: CborMap): Shared {
    const coordinate = (value: Cbor | undefined) => {
      if (!(value instanceof Uint8Array)) throw new Refusal('missingParameter');
      return Buffer.from(value).toString('base64url');
    };
    const jwk = { kty: 'EC', crv: 'P-256', x: coordinate(cose.get(-2)), y: coordinate(cose.get(-3)) };
    try {
      const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
      return agreed(protocol, diffieHellman({ publicKey, privateKey: this.agreement.privateKey }));
    } catch {
      throw new Refusal('invalidParameter');
    }
  }

  set(shared: Shared, newPinEnc: Buffer): void {
    const padded = shared.decrypt(newPinEnc);
    if (padded.length !== 64) throw new Refusal('invalidParameter');
    const end = padded.indexOf(0);
    const pin = padded.subarray(0, end < 0 ? 64 : end);
    if ([...pin.toString('utf8')].length < 4 || pin.length > 63) throw new Refusal('pinPolicyViolation');
    this.pinHash = hashOf(pin);
    this.retries = allTries;
    this.sincePower = 0;
    this.token = undefined;
  }

  /** @throws Refusal unless this is the PIN; counts */
  check(shared: Shared, pinHashEnc: Buffer): void {
    if (this.pinHash === undefined) throw new Refusal('pinNotSet');
    if (this.retries === 0) throw new Refusal('pinBlocked');
    if (this.sincePower >= triesPerPower) throw new Refusal('pinAuthBlocked');
    const given = shared.decrypt(pinHashEnc);
    this.retries -= 1;
    if (given.length === 16 && timingSafeEqual(given, this.pinHash)) {
      this.retries = allTries;
      this.sincePower = 0;
      return;
    }
    this.sincePower += 1;
    this.newAgreement();
    if (this.retries === 0) throw new Refusal('pinBlocked');
    throw new Refusal(this.sincePower >= triesPerPower ? 'pinAuthBlocked' : 'pinInvalid');
  }

  /** A new one, the only one that is good from now on. */
  issue(wish: Omit<Token, 'bytes'>): Buffer {
    this.token = { ...wish, bytes: randomBytes(32) };
    return this.token.bytes;
  }

  /** @throws Refusal unless the parameter proves a token that may do this */
  verify(protocol: PinProtocol, hash: Buffer, param: Buffer, wanted: number, rpId: string): Token {
    const token = this.token;
    if (token === undefined || token.protocol !== protocol) throw new Refusal('pinAuthInvalid');
    if (!isMac(protocol, token.bytes, hash, param)) throw new Refusal('pinAuthInvalid');
    if ((token.permissions & wanted) === 0) throw new Refusal('pinAuthInvalid');
    if (token.rpId !== undefined && token.rpId !== rpId) throw new Refusal('pinAuthInvalid');
    token.rpId = rpId;
    return token;
  }

  /** After a touch a token is good for nothing more. */
  spend(): void {
    if (this.token === undefined) return;
    this.token.permissions = 0;
    this.token.present = false;
  }

  private newAgreement(): void {
    this.agreement = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  }
}

function hashOf(pin: Buffer): Buffer {
  return createHash('sha256').update(pin).digest().subarray(0, 16);
}
