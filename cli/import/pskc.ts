import type { PortableFactor } from '../../daemon/api/account-views.ts';
import { totpPeriod } from '../../daemon/api/bounds.ts';
import {
  found,
  ImportError,
  type Parsed,
  type Parser,
  problem,
  type Source,
  type Unsupported,
} from './contract.ts';
import { type AskKey, type Cipher, cipherOf } from './pskc-cipher.ts';
import { type Elements, PskcReader } from './pskc-xml.ts';

export interface PskcOptions {
  /** Account of keys that name none; of keys that name one, only this account is imported. */
  readonly user?: string;
  readonly ask: AskKey;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Portable Symmetric Key Container, RFC 6030: keys of HOTP and TOTP tokens. */
export function pskc(options: PskcOptions): Parser {
  return async function* parse(source) {
    const reader = new PskcReader();
    let cipher: Cipher | undefined;
    for await (const piece of source.chunks()) {
      for (const elements of reader.write(piece)) {
        if (isEncrypted(elements)) cipher ??= await cipherOf(reader.container, options.ask);
        const parsed = keyIn(source, elements, cipher, options);
        if (parsed !== undefined) yield parsed;
      }
    }
    reader.end();
  };
}

const secretPlace = 'Key/Data/Secret';

function isEncrypted(elements: Elements): boolean {
  return elements.has(`${secretPlace}/EncryptedValue`);
}

function keyIn(
  source: Source,
  elements: Elements,
  cipher: Cipher | undefined,
  { user: only, now }: PskcOptions,
): Parsed | undefined {
  const text = (place: string) => elements.get(place)?.text ?? '';
  const user = nameIn(text('Key/UserId')) || nameIn(text('DeviceInfo/UserId')) || only;
  if (only !== undefined && user !== only) return undefined;
  const id = elements.get('Key')?.attributes.Id ?? '';
  const no = (why: string) =>
    problem({ file: source.file }, `the key ${JSON.stringify(id.slice(0, 64))}: ${why}`, user);
  if (user === undefined) return no('no account; use --user');
  try {
    const cannot: Unsupported[] = [];
    const expires = Date.parse(text('Key/Policy/ExpiryDate'));
    if (expires < now) return no('the key has expired');
    if (!Number.isNaN(expires))
      cannot.push({
        what: 'expiry date',
        why: 'Sallyport factors do not expire; remove the factor at that time',
      });
    if (elements.has('Key/Policy/PINPolicy'))
      cannot.push({
        what: 'PIN',
        why: 'Sallyport does not combine PINs with codes: logins ask only for the code',
      });
    return found(source, undefined, user, [factorOf(elements, secretOf(elements, cipher))], { cannot });
  } catch (error) {
    if (!(error instanceof ImportError)) throw error;
    return no(error.message);
  }
}

/** The account of a distinguished name or a plain name. */
function nameIn(text: string): string {
  const named = /(?:^|,)\s*(?:uid|cn)\s*=\s*([^,]+)/i.exec(text)?.[1] ?? text;
  return named.includes('=') ? '' : named.trim();
}

function secretOf(elements: Elements, cipher: Cipher | undefined): string {
  if (isEncrypted(elements)) {
    if (cipher === undefined) throw new ImportError('it is encrypted without key information');
    return cipher.open(elements, secretPlace).toString('base64');
  }
  const plain = elements.get(`${secretPlace}/PlainValue`)?.text.replaceAll(/\s/g, '') ?? '';
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(plain)) throw new ImportError('the secret is missing or not Base64');
  return Buffer.from(plain, 'base64').toString('base64');
}

function factorOf(elements: Elements, secret: string): PortableFactor {
  const { Algorithm: algorithm = '', Id: id = '' } = elements.get('Key')?.attributes ?? {};
  const kind = algorithm.split(':').at(-1)?.toLowerCase();
  if (kind !== 'hotp' && kind !== 'totp')
    throw new ImportError('unsupported kind of key; supported: HOTP and TOTP');
  const { Length: length = '6', Encoding: encoding = 'DECIMAL' } =
    elements.get('Key/AlgorithmParameters/ResponseFormat')?.attributes ?? {};
  const digits = { '6': 6, '7': 7, '8': 8 }[length] as 6 | 7 | 8 | undefined;
  if (digits === undefined || encoding.toUpperCase() !== 'DECIMAL')
    throw new ImportError('codes must have 6, 7 or 8 decimal digits');
  const suite = (elements.get('Key/AlgorithmParameters/Suite')?.text ?? '').toUpperCase();
  const common = {
    name: (elements.get('DeviceInfo/SerialNo')?.text || id).slice(0, 255),
    enabled: true,
    secret,
    digits,
    algorithm: /SHA-?512/.test(suite) ? 'sha512' : /SHA-?256/.test(suite) ? 'sha256' : 'sha1',
  } as const;
  if (kind === 'hotp') return { ...common, kind, counter: whole(elements, 'Counter', 0, 0, 2 ** 48) };
  const period = whole(elements, 'TimeInterval', 30, totpPeriod.least, totpPeriod.most);
  // The clock drift in steps; the format does not contain used codes.
  return {
    ...common,
    kind,
    period,
    mark: 'now',
    drift: whole(elements, 'TimeDrift', 0, -1_000_000, 1_000_000),
  };
}

function whole(elements: Elements, name: string, absent: number, least: number, most: number): number {
  if (elements.has(`Key/Data/${name}/EncryptedValue`))
    throw new ImportError(`${name} is encrypted, which is supported only for secrets`);
  const text = elements.get(`Key/Data/${name}/PlainValue`)?.text ?? '';
  const number = text === '' ? absent : /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new ImportError(`${name} must be a number from ${least} to ${most}`);
}
