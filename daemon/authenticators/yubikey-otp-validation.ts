import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { get as getHttp } from 'node:http';
import { get as getHttps } from 'node:https';

/**
 * A client for Yubico's validation protocol 2.0 (developers.yubico.com/OTP/Specifications/OTP_validation_protocol.html).
 * It imports nothing of this project, and serves any other as it stands.
 */
export interface ValidationOptions {
  /** Addresses up to the query: "https://api.yubico.com/wsapi/2.0/verify". All are asked at once. */
  readonly servers: readonly string[];
  /** The number that the servers know this client by. */
  readonly clientId: string;
  /** The key that goes with it, decoded from base64. */
  readonly key: Buffer;
  /** PEM of who may have signed the servers' certificates; by default Node's own list. */
  readonly ca?: string;
  /** Milliseconds for all of it. */
  readonly deadline: number;
}

export type Validation =
  /** One server said so, signed, of this OTP and this very request. */
  | { readonly outcome: 'valid' }
  /** Signed too: the OTP is not right, or was used before. */
  | { readonly outcome: 'refused'; readonly reason: 'wrong' | 'replay' }
  /** Nobody could say. `why`: a sentence for each server, without OTP, key or signature. */
  | { readonly outcome: 'unavailable'; readonly why: readonly string[] };

export interface ValidationClient {
  /**
   * Never throws.
   * @param otp 32 to 48 modhex symbols
   * @param given ends the question before its deadline: its answer is wanted no more
   */
  validate(otp: string, given?: AbortSignal): Promise<Validation>;
}

/** What a server's answer comes to. */
type Answer =
  | { readonly kind: 'final'; readonly validation: Validation }
  /** Of no use: another server may know. */
  | { readonly kind: 'none'; readonly why: string };

/** An answer has ten short lines; more is none. */
const longestAnswer = 4_096;

/** What a signed status means. All others mean that this server could not say. */
const meanings: ReadonlyMap<string, Validation> = new Map([
  ['OK', { outcome: 'valid' }],
  ['BAD_OTP', { outcome: 'refused', reason: 'wrong' }],
  ['REPLAYED_OTP', { outcome: 'refused', reason: 'replay' }],
  // Debian's yubiserver, of a press whose timestamp does not fit.
  ['DELAYED_OTP', { outcome: 'refused', reason: 'replay' }],
] as const);

const advice: Readonly<Record<string, string>> = {
  BACKEND_ERROR: 'it has trouble of its own',
  NOT_ENOUGH_ANSWERS: 'it could not reach enough of its peers',
  REPLAYED_REQUEST: 'it says that it saw this request before',
  BAD_SIGNATURE: 'it does not accept our signature; check client id and key',
  NO_SUCH_CLIENT: 'it does not know our client id',
  OPERATION_NOT_ALLOWED: 'our client id may not ask it',
  MISSING_PARAMETER: 'it misses something in our request',
};

/**
 * MUST hold:
 * - "valid" and "refused" come only from an answer under our key, about this OTP, to this nonce;
 * - the first such answer decides; whoever is slow, away or lying only delays, up to the deadline;
 * - the deadline comes whatever the servers do: it is a plain timer, which Node itself holds, and no signal that
 *   only its listeners hold (nodejs/node 57736);
 * - no answer is read beyond its bound, no redirection followed, and no OTP stands in what is said of errors.
 */
export function createValidationClient(options: ValidationOptions): ValidationClient {
  return {
    async validate(otp, given) {
      const nonce = randomBytes(16).toString('hex');
      const query = queryOf(options, otp, nonce);
      const ended = new AbortController();
      const { signal } = ended;
      const end = (): void => ended.abort();
      const late = setTimeout(end, options.deadline);
      given?.addEventListener('abort', end);
      if (given?.aborted === true) end();
      const why: string[] = [];
      try {
        const asked = options.servers.map(async (server) => {
          const answer = await ask(server, query, options, signal).then(
            (body) => judge(body, { otp, nonce, key: options.key }),
            (error: unknown): Answer => ({ kind: 'none', why: reasonOf(error, signal) }),
          );
          if (answer.kind === 'final') return answer.validation;
          why.push(`${hostOf(server)}: ${answer.why}`);
          throw new Error('no answer');
        });
        return await Promise.any(asked);
      } catch {
        return { outcome: 'unavailable', why: why.length === 0 ? ['no server is named'] : why };
      } finally {
        clearTimeout(late);
        given?.removeEventListener('abort', end);
        end();
      }
    },
  };
}

/** HMAC-SHA1 over the parameters in the order of their names, as they are before they are escaped. */
function signatureOf(fields: ReadonlyMap<string, string>, key: Buffer): Buffer {
  const text = [...fields]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
  return createHmac('sha1', key).update(text).digest();
}

function queryOf({ clientId, key }: ValidationOptions, otp: string, nonce: string): string {
  const fields = new Map([
    ['id', clientId],
    ['nonce', nonce],
    ['otp', otp],
  ]);
  const signature = signatureOf(fields, key).toString('base64');
  return [...fields, ['h', signature]]
    .map(([name, value = '']) => `${name}=${encodeURIComponent(value)}`)
    .join('&');
}

function ask(
  server: string,
  query: string,
  options: ValidationOptions,
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const url = new URL(`${server}?${query}`);
    // A connection of its own: one that a server closed meanwhile must not cost a login its answer.
    const common = { signal, agent: false } as const;
    const request =
      url.protocol === 'http:'
        ? getHttp(url, common)
        : getHttps(url, { ...common, ...(options.ca === undefined ? {} : { ca: options.ca }) });
    request.on('error', reject);
    request.on('response', (response) => {
      if (response.statusCode !== 200) {
        response.destroy();
        reject(new Error(`it answered with HTTP status ${response.statusCode}`));
        return;
      }
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        length += chunk.length;
        if (length > longestAnswer) response.destroy(new Error('its answer is too long'));
      });
      response.on('end', () => resolve(Buffer.concat(chunks).toString('latin1')));
      response.on('error', reject);
      // A body that was cut off ends in no "end".
      response.on('close', () => reject(new Error('its answer was cut off')));
    });
  });
}

function judge(
  body: string,
  asked: { readonly otp: string; readonly nonce: string; readonly key: Buffer },
): Answer {
  const fields = fieldsOf(body);
  if (fields === undefined) return { kind: 'none', why: 'its answer makes no sense' };
  const status = fields.get('status') ?? '';
  const validation = meanings.get(status);
  // What is no verdict need not be signed: it decides nothing.
  if (validation === undefined) return { kind: 'none', why: advice[status] ?? 'its status is unknown' };
  const signature = Buffer.from(fields.get('h') ?? '', 'base64');
  fields.delete('h');
  if (!same(signature, signatureOf(fields, asked.key)))
    return { kind: 'none', why: 'its signature is wrong; check the key, or somebody is between us' };
  if (!sameText(fields.get('otp'), asked.otp) || !sameText(fields.get('nonce'), asked.nonce))
    return { kind: 'none', why: 'it answered another question' };
  return { kind: 'final', validation };
}

/** "name=value" in each line; a value may hold "=". undefined: a line is none, or a name stands twice. */
function fieldsOf(body: string): Map<string, string> | undefined {
  const fields = new Map<string, string>();
  for (const line of body.split(/\r?\n/)) {
    if (line === '') continue;
    const at = line.indexOf('=');
    const name = line.slice(0, at);
    if (at < 1 || fields.has(name)) return undefined;
    fields.set(name, line.slice(at + 1));
  }
  return fields;
}

function same(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function sameText(given: string | undefined, expected: string): boolean {
  return given !== undefined && same(Buffer.from(given), Buffer.from(expected));
}

function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'it gave no answer in time';
  if (!(error instanceof Error)) return 'it cannot be reached';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return code === undefined ? error.message : `it cannot be reached (${code})`;
}

function hostOf(server: string): string {
  return URL.canParse(server) ? new URL(server).host : 'a server whose address is none';
}
