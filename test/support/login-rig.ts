import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createApprovals } from '../../daemon/authenticators/approvals.ts';
import { createKeyRequests } from '../../daemon/authenticators/key-requests.ts';
import type { Answer } from '../../daemon/factors/answers/answer-format.ts';
import type { HostFacts } from '../../daemon/host/contract.ts';
import { createLog } from '../../daemon/lib/log.ts';
import { systemRandomness } from '../../daemon/lib/randomness.ts';
import { createLoginServer, type LoginServer, type LoginServerOptions } from '../../daemon/login/server.ts';
import type { LoginFacts } from '../../daemon/policy/contract.ts';
import type { Opening, OpenLogin, Verdict, Verifier } from '../../daemon/verifier/verifier.ts';
import { FakeKeys } from './fake-keys.ts';
import { hostWith } from './host.ts';
import { type HelloFields, hello, type Seen, takeApart } from './module-frames.ts';

/** <security/_pam_types.h> */
export const pam = { success: 0, systemErr: 4, permDenied: 6, authErr: 7, maxtries: 11, ignore: 25 } as const;

/** Evaluates answers as and when the test decides, and records what it was asked. */
export class FakeVerifier implements Verifier {
  readonly asked: LoginFacts[] = [];
  readonly answers: string[] = [];
  readonly abandoned: string[] = [];
  opening: (facts: LoginFacts, host: HostFacts) => Promise<Opening> = async (facts, host) => ({
    kind: 'ask',
    prompt: 'Code: ',
    login: { facts, host },
  });
  verdict: (login: OpenLogin, answer: string) => Promise<Verdict> = async (login, text) =>
    text === '123456'
      ? { kind: 'accepted', result: 'success', strip: 0 }
      : { kind: 'refused', result: 'auth-err', again: true, delay: 0, login };

  async open(facts: LoginFacts, host: HostFacts): Promise<Opening> {
    this.asked.push(facts);
    return this.opening(facts, host);
  }

  async answer(login: OpenLogin, given: Answer): Promise<Verdict> {
    const text = Buffer.isBuffer(given) ? given.toString() : `touched ${given.credentialId}`;
    this.answers.push(text);
    return this.verdict(login, text);
  }

  async abandon(_login: OpenLogin, reason: string): Promise<void> {
    this.abandoned.push(reason);
  }

  verify = (): Promise<never> => Promise.reject(new Error('not here'));
  enrol = (): Promise<never> => Promise.reject(new Error('not here'));
  creationOptions = (): Promise<never> => Promise.reject(new Error('not here'));
  touchRequest = (): Promise<never> => Promise.reject(new Error('not here'));
}

/** The module's end of a connection. */
export class Client {
  readonly socket: Socket;
  readonly frames: (Seen & { readonly at: number })[] = [];
  ended = false;
  #bytes: Buffer = Buffer.alloc(0);
  readonly #since = performance.now();

  constructor(where: string, allowHalfOpen = false) {
    this.socket = connect({ path: where, allowHalfOpen });
    this.socket.on('data', (chunk) => {
      const { frames, rest } = takeApart(Buffer.concat([this.#bytes, chunk]));
      this.#bytes = rest;
      for (const frame of frames) this.frames.push({ ...frame, at: performance.now() - this.#since });
    });
    this.socket.on('error', () => undefined);
    this.socket.on('end', () => {
      this.ended = true;
    });
    this.socket.on('close', () => {
      this.ended = true;
    });
  }

  send(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  async sees(type: Seen['type'], count = 1): Promise<Seen & { readonly at: number }> {
    await until(() => this.ofType(type).length >= count, `${type} ${count}`);
    const frame = this.ofType(type)[count - 1];
    assert.ok(frame !== undefined);
    return frame;
  }

  ofType(type: Seen['type']): (Seen & { readonly at: number })[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  /** The PAM code, once the daemon has closed behind it. */
  async result(): Promise<number> {
    const frame = await this.sees('result');
    await until(() => this.ended, 'the daemon closes behind RESULT');
    assert.equal(this.frames.at(-1)?.type, 'result');
    assert.equal(this.#bytes.length, 0);
    return frame.type === 'result' ? frame.code : -1;
  }
}

export async function until(holds: () => boolean, what: string, ms = 60_000): Promise<void> {
  const end = performance.now() + ms;
  while (!holds()) {
    assert.ok(performance.now() < end, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export function never<T>(): Promise<T> {
  return new Promise<T>(() => undefined);
}

export function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
}

/** A login server on its own sockets, with a verifier that the test controls. */
export class LoginRig {
  readonly directory = mkdtempSync(path.join(tmpdir(), 'sallyport-login-'));
  readonly rootSocket = path.join(this.directory, 'pam.sock');
  readonly userSocket = path.join(this.directory, 'pam-user.sock');
  readonly verifier = new FakeVerifier();
  readonly keys = new FakeKeys();
  readonly host = hostWith({ securityKeys: this.keys });
  readonly approvals = createApprovals({
    // Stands for the check of the signature: what says so is signed.
    assertions: {
      of: async (assertion) => {
        const facts = { counter: 0, userVerified: false };
        const isGood = assertion.signature.toString() === 'good';
        return { waited: false, ...(isGood ? { signed: () => facts } : {}) };
      },
    },
    randomness: systemRandomness,
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    origins: () => ['https://login.example.org'],
  });
  readonly logged: { event: string; [field: string]: unknown }[] = [];
  readonly options: LoginServerOptions = {
    verifier: this.verifier,
    keyRequests: createKeyRequests(systemRandomness),
    host: this.host,
    approvals: this.approvals,
    log: createLog((line) => this.logged.push(JSON.parse(line)), false),
  };
  readonly server: LoginServer = createLoginServer(this.options);
  readonly #clients: Client[] = [];

  static async start(): Promise<LoginRig> {
    const rig = new LoginRig();
    // Other uids are to reach the sockets.
    chmodSync(rig.directory, 0o755);
    await rig.server.listen('root', { path: rig.rootSocket });
    await rig.server.listen('user', { path: rig.userSocket });
    return rig;
  }

  client(where = this.rootSocket, allowHalfOpen = false): Client {
    const made = new Client(where, allowHalfOpen);
    this.#clients.push(made);
    return made;
  }

  begun(fields: HelloFields = {}, where = this.rootSocket): Client {
    const made = this.client(where);
    made.send(hello(fields));
    return made;
  }

  async nothingIsLeft(): Promise<void> {
    await until(() => this.server.open() === 0, 'no login is left');
  }

  async stop(): Promise<void> {
    for (const each of this.#clients) each.socket.destroy();
    await this.server.close();
    rmSync(this.directory, { recursive: true });
  }
}
