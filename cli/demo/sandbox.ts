import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Paths of this build. */
const repository = join(import.meta.dirname, '../../..');
const daemonMain = join(import.meta.dirname, '../../daemon/main.js');
const cliMain = join(import.meta.dirname, '../main.js');
const portalMain = join(import.meta.dirname, '../../portal/main.js');
const module = join(repository, 'build/Release/pam_sallyport.so');
const tryLogin = join(repository, 'build/Release/sallyport-demo');

const portalListen = '127.0.0.1:8866';
const portalOrigin = 'http://localhost:8866';

/** Milliseconds that sallyportd may take to listen; usually about 300. */
const startWait = 15_000;

export interface Ran {
  readonly status: number;
  readonly output: string;
}

/** A complete Sallyport below one directory: configuration, store, daemon, and a PAM stack to log in through. */
export class Sandbox {
  readonly root: string;
  readonly config: string;
  readonly log: string;
  readonly portalLog: string;
  #daemon: ChildProcess | undefined;
  #portal: ChildProcess | undefined;

  constructor(root: string) {
    this.root = root;
    this.config = join(root, 'etc/sallyport.toml');
    this.log = join(root, 'var/sallyportd.log');
    this.portalLog = join(root, 'var/portal.log');
  }

  get exists(): boolean {
    return existsSync(this.config);
  }

  /** Runs `sallyport …`; on the terminal if `input` is omitted. */
  cli(argv: readonly string[], input?: string): Promise<Ran> {
    return run(process.execPath, [cliMain, '--config', this.config, ...argv], input);
  }

  async init(): Promise<Ran> {
    const laid = await run(process.execPath, [cliMain, 'init', '--root', this.root], '');
    if (laid.status === 0) this.#addPortal();
    return laid;
  }

  /** Only for this machine: security keys are bound to localhost. */
  #addPortal(): void {
    const text = readFileSync(this.config, 'utf8');
    const tables = `[webauthn]\nrp_id = "localhost"\n\n[portal]\norigins = ["${portalOrigin}"]\nlisten  = "${portalListen}"\n`;
    writeFileSync(this.config, text.replace(/^\[\[realm\]\]/m, `${tables}\n[[realm]]`));
  }

  /**
   * Performs one login through libpam and the real module, with a separate service file.
   * @param input lines for the prompts; if omitted, asks on the terminal
   * @returns the status is the result of pam_authenticate
   */
  login(user: string, input?: string): Promise<Ran> {
    const services = join(this.root, 'pam.d');
    mkdirSync(services, { recursive: true });
    const socket = join(this.root, 'run/pam.sock');
    // The caller is already logged in: the first factor counts as passed.
    writeFileSync(
      join(services, 'sallyport-demo'),
      `auth required ${module} socket=${socket} first_factor=passed\nauth required pam_permit.so\n`,
    );
    return run(tryLogin, [services, 'sallyport-demo', user], input);
  }

  /** @throws Error if the daemon exits or does not listen */
  async start(): Promise<void> {
    const log = openSync(this.log, 'a', 0o600);
    const daemon = spawn(process.execPath, [daemonMain, '--config', this.config], {
      stdio: ['ignore', log, log],
    });
    this.#daemon = daemon;
    const deadline = performance.now() + startWait;
    while (!(await listens(join(this.root, 'run/pam.sock')))) {
      if (daemon.exitCode !== null || performance.now() > deadline)
        throw new Error(`sallyportd did not start; see its log: ${this.log}`);
      await sleep(20);
    }
  }

  /** @returns its address; undefined if the configuration has no portal, or the portal did not start */
  async startPortal(): Promise<string | undefined> {
    if (!/^\[portal\]/m.test(readFileSync(this.config, 'utf8'))) return undefined;
    const log = openSync(this.portalLog, 'a', 0o600);
    const portal = spawn(process.execPath, [portalMain, '--config', this.config], {
      stdio: ['ignore', log, log],
    });
    this.#portal = portal;
    const [host = '', port = ''] = portalListen.split(':');
    const deadline = performance.now() + startWait;
    while (!(await listens({ host, port: Number(port) }))) {
      if (portal.exitCode !== null || performance.now() > deadline) return undefined;
      await sleep(20);
    }
    return portal.exitCode === null ? portalOrigin : undefined;
  }

  get pid(): number | undefined {
    return this.#daemon?.pid;
  }

  /** Resolves when the daemon has exited. */
  async ended(): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined || daemon.exitCode !== null) return;
    await new Promise<void>((resolve) => daemon.once('exit', () => resolve()));
  }

  async stop(): Promise<void> {
    this.#portal?.kill('SIGTERM');
    this.#daemon?.kill('SIGTERM');
    await this.ended();
  }
}

function listens(where: string | { readonly host: string; readonly port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(typeof where === 'string' ? { path: where } : where, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

function run(program: string, argv: readonly string[], input: string | undefined): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const interactive = input === undefined;
    const child = spawn(program, argv, { stdio: interactive ? 'inherit' : ['pipe', 'pipe', 'pipe'] });
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
    });
    child.on('error', reject);
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
    child.on('close', (status) => resolve({ status: status ?? 1, output }));
  });
}
