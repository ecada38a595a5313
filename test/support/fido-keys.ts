import { createPublicKey, randomBytes, verify } from 'node:crypto';
import path from 'node:path';
import type { FidoCall, FidoEvent, FidoHelper } from '../../daemon/host/contract.ts';
import { createFidoHelper } from '../../daemon/host/fido-helper.ts';
import type { Log, LogFields } from '../../daemon/lib/log.ts';
import type { AssertRequest, MakeRequest } from '../../daemon/protocol/fido-requests.ts';
import {
  type Authenticator,
  type AuthenticatorOptions,
  type Credential,
  startAuthenticator,
} from './authenticator/index.ts';
import { sanitizerOptions } from './fido-rig.ts';
import { until } from './until.ts';

/** A call, and what was said on the way. */
export interface WatchedCall<T> extends FidoCall<T> {
  readonly events: readonly FidoEvent[];
  /** Resolves at the nth event of a kind. */
  said(kind: FidoEvent['kind'], nth?: number): Promise<FidoEvent>;
}

function watched<T>(start: (watch: (event: FidoEvent) => void) => FidoCall<T>): WatchedCall<T> {
  const events: FidoEvent[] = [];
  let over = false;
  const call = start((event) => events.push(event));
  void call.outcome.then(() => {
    over = true;
  });
  return {
    events,
    outcome: call.outcome,
    pin: (bytes) => call.pin(bytes),
    cancel: () => call.cancel(),
    async said(kind, nth = 1) {
      const ofKind = () => events.filter((event) => event.kind === kind);
      await until(() => over || ofKind().length >= nth, 60_000);
      const found = ofKind()[nth - 1];
      if (found === undefined) throw new Error(`over, and only ${JSON.stringify(events)} was said`);
      return found;
    },
  };
}

const rings: KeyRing[] = [];

/** After the tests of a file: what one that failed left behind would keep the process alive. */
export async function stopKeys(): Promise<void> {
  await Promise.all(rings.map((ring) => ring.stop()));
}

/** Keys of software in one directory, and a helper that sees them. */
export class KeyRing {
  readonly logged: LogFields[] = [];
  readonly #directory: string;
  readonly #program: string;
  readonly #keys: Authenticator[] = [];
  readonly #sockets: string[] = [];
  readonly #calls: { cancel(): void }[] = [];

  constructor(program: string, directory: string) {
    this.#program = program;
    this.#directory = directory;
    rings.push(this);
  }

  /** @param options `plugged` false: it comes later; `label`: of the name that its maker gave it */
  async key(
    options: Omit<AuthenticatorOptions, 'socket'> & {
      readonly plugged?: boolean;
      readonly label?: string;
    } = {},
  ) {
    const label = options.label ?? 'key';
    const socket = path.join(this.#directory, `${label}-${randomBytes(4).toString('hex')}`);
    this.#sockets.push(socket);
    const key = await startAuthenticator({ socket, ...options });
    if (options.plugged === false) await key.unplug();
    this.#keys.push(key);
    return key;
  }

  get helper(): FidoHelper {
    const note = (_event: string, fields: LogFields = {}) => void this.logged.push(fields);
    const log: Log = { info: note, warning: note, error: note };
    const environment = { ...sanitizerOptions, SALLYPORT_FIDO_DEVICES: this.#sockets.join(':') };
    return createFidoHelper({ where: { program: this.#program }, log, environment });
  }

  make(changes: Partial<MakeRequest> = {}) {
    const request = { ...makeRequest(), ...changes };
    return { request, ...this.#noted(watched((watch) => this.helper.make(request, watch))) };
  }

  assert(changes: Partial<AssertRequest>) {
    const request = { ...assertRequest(), ...changes };
    return { request, ...this.#noted(watched((watch) => this.helper.assert(request, watch))) };
  }

  #noted<C extends { cancel(): void }>(call: C): C {
    this.#calls.push(call);
    return call;
  }

  async stop(): Promise<void> {
    for (const call of this.#calls) call.cancel();
    await Promise.all(this.#keys.map((key) => key.stop()));
  }
}

export const rpId = 'login.example.org';

const makeRequest = (): MakeRequest => ({
  clientDataHash: randomBytes(32),
  rp: { id: rpId, name: 'Example' },
  user: { id: randomBytes(16), name: 'alice' },
  algorithms: ['es256'],
  exclude: [],
  resident: false,
  userVerification: 'discouraged',
  deadline: 20_000,
});

const assertRequest = (): AssertRequest => ({
  clientDataHash: randomBytes(32),
  groups: [],
  userVerification: 'discouraged',
  deadline: 20_000,
});

export const groupOf = (...credentials: readonly Credential[]): AssertRequest['groups'] => [
  { rpId, credentialIds: credentials.map(({ id }) => id) },
];

const flags = { up: 0x01, uv: 0x04 };

export interface Spoken {
  readonly authenticatorData: Buffer;
  readonly signature: Buffer;
}

/** Whether this is the credential's signature over that hash, and what it says. */
export function proven(credential: Credential, hash: Buffer, { authenticatorData, signature }: Spoken) {
  const digest = credential.privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const signed = Buffer.concat([authenticatorData, hash]);
  const said = authenticatorData.readUInt8(32);
  return {
    good: verify(digest, signed, createPublicKey(credential.privateKey), signature),
    up: (said & flags.up) !== 0,
    uv: (said & flags.uv) !== 0,
  };
}

export const pin = (text = '271828') => Buffer.from(text);
