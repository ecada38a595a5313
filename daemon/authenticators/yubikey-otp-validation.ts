import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { get as getHttp } from 'node:http';
import { get as getHttps } from 'node:https';

/**
 * A client for Yubico's validation protocol 2.0
 * (developers.yubico.com/OTP/Specifications/OTP_validation_protocol.html). It imports nothing of this project, so
 * that other projects can use it unchanged.
 */
export interface ValidationOptions {
  /** Addresses up to the query: "https://api.yubico.com/wsapi/2.0/verify". All are queried at once. */
  readonly servers: readonly string[];
  /** The id under which the servers know this client. */
  readonly clientId: string;
  /** The API key of that id, decoded from base64. */
  readonly key: Buffer;
  /** PEM of the certificate authorities; by default Node's own list. */
  readonly ca?: string;
  /** Milliseconds for the whole query. */
  readonly deadline: number;
}

export type Validation =
  /** One server confirmed it, signed, for this OTP and this request. */
  | { readonly outcome: 'valid' }
  /** Signed too: the OTP is wrong, or was already used. */
  | { readonly outcome: 'refused'; readonly reason: 'wrong' | 'replay' }
  /** No server gave a verdict. `why`: a phrase for each server, without OTP, key or signature. */
  | { readonly outcome: 'unavailable'; readonly why: readonly string[] };

export interface ValidationClient {
  /**
   * Never throws.
   * @param otp 32 to 48 modhex symbols
   * @param given ends the query before its deadline, when the answer is no longer wanted
   */
  validate(otp: string, given?: AbortSignal): Promise<Validation>;
}

/** How a server's answer is interpreted. */
type Answer =
  | { readonly kind: 'final'; readonly validation: Validation }
  /** Unusable: another server may give a verdict. */
  | { readonly kind: 'none'; readonly why: string };

/** A valid answer has ten short lines; anything longer is rejected. */
const longestAnswer = 4_096;

/** What a signed status means. All others mean that this server gave no verdict. */
const meanings: ReadonlyMap<string, Validation> = new Map([
  ['OK', { outcome: 'valid' }],
  ['BAD_OTP', { outcome: 'refused', reason: 'wrong' }],
  ['REPLAYED_OTP', { outcome: 'refused', reason: 'replay' }],
  // From Debian's yubiserver, if the timestamp of the press does not match.
  ['DELAYED_OTP', { outcome: 'refused', reason: 'replay' }],
] as const);

const advice: Readonly<Record<string, string>> = {
  BACKEND_ERROR: 'it reports an internal error',
  NOT_ENOUGH_ANSWERS: 'it could not reach enough of its peers',
  REPLAYED_REQUEST: 'it says that it saw this request before',
  BAD_SIGNATURE: 'it does not accept our signature; check client id and key',
  NO_SUCH_CLIENT: 'it does not know our client id',
  OPERATION_NOT_ALLOWED: 'our client id may not ask it',
  MISSING_PARAMETER: 'it reports a missing parameter in our request',
};

/**
 * Invariants:
 * - "valid" and "refused" come only from an answer under our key, about this OTP, for this nonce;
 * - the first such answer decides; a slow, unreachable or lying server only delays, up to the deadline;
 * - the deadline is independent of the servers: a plain timer, which Node itself holds, not a signal that only its
 *   listeners hold (nodejs/node 57736);
 * - no answer is read beyond its limit, no redirection is followed, and no error text contains an OTP.
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
            (body) => interpret(body, { otp, nonce, key: options.key }),
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

/** HMAC-SHA1 over the parameters sorted by name, before they are escaped. */
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
    // A separate connection: one that a server closed meanwhile must not cost a login its answer.
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
      // A truncated body never emits "end".
      response.on('close', () => reject(new Error('its answer was cut off')));
    });
  });
}

function interpret(
  body: string,
  asked: { readonly otp: string; readonly nonce: string; readonly key: Buffer },
): Answer {
  const fields = fieldsOf(body);
  if (fields === undefined) return { kind: 'none', why: 'its answer is malformed' };
  const status = fields.get('status') ?? '';
  const validation = meanings.get(status);
  // An answer without a verdict need not be signed: it decides nothing.
  if (validation === undefined) return { kind: 'none', why: advice[status] ?? 'its status is unknown' };
  const signature = Buffer.from(fields.get('h') ?? '', 'base64');
  fields.delete('h');
  if (!same(signature, signatureOf(fields, asked.key)))
    return {
      kind: 'none',
      why: 'its signature is wrong: the API key may be wrong, or the connection intercepted',
    };
  if (!sameText(fields.get('otp'), asked.otp) || !sameText(fields.get('nonce'), asked.nonce))
    return { kind: 'none', why: 'it answered another request' };
  return { kind: 'final', validation };
}

/** "name=value" in each line; a value may contain "=". undefined: a line is malformed, or a name occurs twice. */
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
  return URL.canParse(server) ? new URL(server).host : 'a server with an invalid address';
}
