import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock } from 'node:test';
import type { StoredAuditEvent } from '../../../daemon/audit/event.ts';
import { createKeyRequests } from '../../../daemon/authenticators/key-requests.ts';
import { type ControlClient, createClient } from '../../../daemon/client/client.ts';
import { createLog } from '../../../daemon/lib/log.ts';
import { systemRandomness } from '../../../daemon/lib/randomness.ts';
import { createLoginServer, type LoginServer } from '../../../daemon/login/server.ts';
import type { Store } from '../../../daemon/store/contract.ts';
import type { LevelStore } from '../../../daemon/store/leveldb/level-store.ts';
import type { Verdict, Verifier } from '../../../daemon/verifier/verifier.ts';
import { type ControlRig, startControl } from '../control-rig.ts';
import { hostWith } from '../host.ts';
import { Client } from '../login-rig.ts';
import { MemoryStore } from '../memory-store.ts';
import { answer, cancel, hello } from '../module-frames.ts';
import { backupBytes, restored } from '../offline-work.ts';
import { StoreRig } from '../store-rig.ts';
import { FakeAccounts } from '../verifier-rig.ts';
import type { Login } from './reference.ts';

/** The PAM code of a login, and how many prompts it met. */
export interface Result {
  readonly code: number;
  readonly prompts: number;
}

/**
 * The daemon's own parts in this process, on real sockets: control.sock, pam.sock, the verifier and a store, in
 * memory or on disk. The time of day is a setting; accounts are a table.
 */
export class System {
  readonly accounts = new FakeAccounts();
  readonly #disk: StoreRig | undefined;
  readonly #directory = mkdtempSync(join(tmpdir(), 'sallyport-model-'));
  readonly #clients: Client[] = [];
  /** Events of logins that were broken off, which are written behind the answer. */
  readonly #abandoning = new Set<Promise<void>>();
  #store: Store;
  #level: LevelStore | undefined;
  #backup: Buffer | undefined;
  #rig!: ControlRig;
  #login!: LoginServer;
  #config: string;
  client!: ControlClient;

  private constructor(config: string, disk: StoreRig | undefined) {
    this.#config = config;
    this.#disk = disk;
    this.#store = new MemoryStore();
    chmodSync(this.#directory, 0o755);
  }

  /** @param now milliseconds since the epoch, where the time of day begins */
  static async start(config: string, now: number, onDisk: boolean): Promise<System> {
    mock.timers.enable({ apis: ['Date'], now });
    const system = new System(config, onDisk ? await StoreRig.create() : undefined);
    await system.#begin();
    return system;
  }

  get onDisk(): boolean {
    return this.#disk !== undefined;
  }

  async #begin(): Promise<void> {
    if (this.#disk !== undefined) {
      this.#level = await this.#disk.open();
      this.#store = this.#level;
    }
    this.#rig = await startControl({
      config: this.#config,
      store: this.#store,
      accounts: this.accounts,
      rootUids: new Set([0]),
    });
    this.client = createClient({ socket: this.#rig.socket });
    this.#login = createLoginServer({
      verifier: atOnce(this.#rig.verifier, this.#abandoning),
      keyRequests: createKeyRequests(systemRandomness),
      approvals: this.#rig.approvals,
      log: createLog(() => undefined, false),
      host: hostWith({ accounts: this.accounts }),
    });
    await this.#login.listen('root', { path: this.#socket });
  }

  get #socket(): string {
    return join(this.#directory, 'pam.sock');
  }

  async #end(): Promise<void> {
    for (const each of this.#clients.splice(0)) each.socket.destroy();
    await this.#login.close();
    await this.#rig.close();
    await this.#level?.close();
  }

  async restart(): Promise<void> {
    await this.#end();
    await this.#begin();
  }

  /** Only on disk. */
  async backup(): Promise<void> {
    if (this.#disk === undefined || this.#level === undefined) throw new Error('there is no disk');
    this.#backup = await backupBytes(this.#disk, this.#level);
  }

  /** @returns false: there is no backup yet */
  async restore(): Promise<boolean> {
    if (this.#disk === undefined || this.#backup === undefined) return false;
    await this.#end();
    await restored(this.#disk, this.#backup);
    await this.#begin();
    return true;
  }

  async reload(config: string): Promise<void> {
    this.#rig.setConfig(config);
    await this.client.reload();
    this.#config = config;
  }

  setTime(now: number): void {
    mock.timers.setTime(now);
  }

  /** One login behind a right password. Answers are given as long as it asks; then it is cancelled. */
  async login({ user, service, source }: Login, answers: readonly string[]): Promise<Result> {
    const login = new Client(this.#socket);
    this.#clients.push(login);
    const rhost = source === 'inside' ? '10.0.0.5' : '192.0.2.7';
    login.send(hello({ user, service, rhost }));
    for (const text of [...answers, undefined]) {
      const seen = login.frames.length;
      await ends(login, seen);
      if (login.ofType('result').length > 0) break;
      login.send(text === undefined ? cancel : answer(text));
      if (text === undefined) await ends(login, login.frames.length);
    }
    const code = await login.result();
    await Promise.allSettled(this.#abandoning);
    return { code, prompts: login.ofType('prompt').length };
  }

  async trail(after: number): Promise<readonly StoredAuditEvent[]> {
    return this.#store.events({ from: after + 1, limit: 1_000, forward: true });
  }

  get lastEvent(): number {
    return this.#store.health().events.last;
  }

  /** What is wrong with the chain of events. */
  async faultsOfTrail(): Promise<number> {
    const checked = await this.#store.checkTrail({ scan: 1_000_000 });
    return checked.faults;
  }

  async close(): Promise<void> {
    try {
      await this.#end();
    } finally {
      mock.timers.reset();
      rmSync(this.#directory, { recursive: true, force: true });
      this.#disk?.remove();
    }
  }
}

/** The next prompt or the result, behind the frames that were seen. */
async function ends(login: Client, seen: number): Promise<void> {
  const end = performance.now() + 60_000;
  const isThere = () => login.frames.slice(seen).some(({ type }) => type === 'prompt' || type === 'result');
  while (!isThere()) {
    if (login.ended) return;
    if (performance.now() > end) throw new Error('waited in vain for a prompt or a result');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Without the delays that hold a guesser back: they change nothing of what is decided. */
function atOnce(verifier: Verifier, abandoning: Set<Promise<void>>): Verifier {
  return {
    ...verifier,
    abandon: (login, reason): Promise<void> => {
      const written = verifier.abandon(login, reason);
      const isWritten = () => abandoning.delete(written);
      abandoning.add(written);
      written.then(isWritten, isWritten);
      return written;
    },
    answer: async (login, given): Promise<Verdict> => {
      const verdict = await verifier.answer(login, given);
      return verdict.kind === 'next' ? verdict : { ...verdict, delay: 0 };
    },
  };
}
