import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { base32, newSecret } from '../codes.ts';
import { connectionsAt, type Finished, run, someoneListens, until } from './commands.ts';
import { cliMain, daemonMain } from './layout.ts';
import { cliForPeople, work } from './machine.ts';

const root = `${work}/sallyport`;
const config = `${root}/etc/sallyport.toml`;
const daemonLog = `${work}/sallyportd.log`;
export const pamSocket = `${root}/run/pam.sock`;
export const controlSocket = `${root}/run/control.sock`;

/** sallyportd and sallyport of this build, below one directory of the namespace. */
export class Product {
  readonly config = config;
  #daemon: ChildProcess | undefined;

  /** Lays the directory out and puts `realms` in place of the one realm that init writes. */
  static async init(realms: string): Promise<Product> {
    const product = new Product();
    const laid = await run(process.execPath, [cliMain, 'init', '--root', root]);
    if (laid.status !== 0) throw new Error(`init: status ${laid.status}\n${laid.stdout}${laid.stderr}`);
    product.writeRealms(realms);
    return product;
  }

  writeRealms(realms: string): void {
    const text = readFileSync(config, 'utf8');
    const first = text.search(/^\[\[realm\]\]/m);
    if (first < 0) throw new Error(`${config} has no [[realm]]:\n${text}`);
    writeFileSync(config, `${text.slice(0, first)}\n${realms}\n`);
  }

  /** @param environment what sallyportd gets beside our own: a clock or a name service of its own */
  async start(environment: NodeJS.ProcessEnv = {}): Promise<void> {
    const log = openSync(daemonLog, 'a');
    const daemon = spawn(process.execPath, [daemonMain, '--config', config], {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...environment },
    });
    // It ends with the namespace; the tests must not wait for it.
    daemon.unref();
    this.#daemon = daemon;
    await until(
      `sallyportd listens\n${this.log()}`,
      () => someoneListens(pamSocket) || daemon.exitCode !== null,
      300_000,
    );
    if (daemon.exitCode !== null) throw new Error(`sallyportd ended with ${daemon.exitCode}:\n${this.log()}`);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined) return;
    this.#daemon = undefined;
    daemon.ref();
    const ended = new Promise((resolve) => daemon.once('exit', resolve));
    daemon.kill(signal);
    await ended;
  }

  get pid(): number {
    const pid = this.#daemon?.pid;
    if (pid === undefined) throw new Error('sallyportd is not running');
    return pid;
  }

  log(): string {
    return existsSync(daemonLog) ? readFileSync(daemonLog, 'utf8') : '';
  }

  /** What node is given to run it. */
  command(argv: readonly string[]): string[] {
    return [cliMain, '--config', config, ...argv];
  }

  /** The same for people other than root. */
  commandForPeople(argv: readonly string[]): string[] {
    return [cliForPeople, '--config', config, ...argv];
  }

  cli(argv: readonly string[], input = ''): Promise<Finished> {
    return run(process.execPath, this.command(argv), { input });
  }

  /** A command that has to succeed; gives what it wrote to stdout. */
  async must(argv: readonly string[], input = ''): Promise<string> {
    const done = await this.cli(argv, input);
    if (done.status !== 0)
      throw new Error(`sallyport ${argv.join(' ')}: status ${done.status}\n${done.stdout}${done.stderr}`);
    return done.stdout;
  }

  async json(argv: readonly string[]): Promise<unknown> {
    return JSON.parse(await this.must([...argv, '--json']));
  }

  async addTotp(user: string): Promise<Buffer> {
    const secret = newSecret();
    await this.must(['factor', 'add', 'totp', user, '--secret', '-', '--no-verify'], `${base32(secret)}\n`);
    return secret;
  }

  /** @returns a token that gives its codes one after the other, from counter 0 on */
  async addHotp(user: string): Promise<Buffer> {
    const secret = newSecret();
    await this.must(['factor', 'add', 'hotp', user, '--secret', '-', '--no-verify'], `${base32(secret)}\n`);
    return secret;
  }

  async addRecovery(user: string): Promise<string[]> {
    const lines = (await this.must(['factor', 'add', 'recovery', user])).split('\n');
    const keys = lines.map((line) => line.trim()).filter((line) => line !== '');
    if (keys.length !== 10) throw new Error(`${keys.length} lines on stdout, not ten recovery keys`);
    return keys;
  }

  /** How many failures of this account count. */
  async failures(user: string): Promise<Failures> {
    const { lock } = (await this.json(['user', 'show', user])) as { lock: Failures };
    return { codes: lock.codes, any: lock.any };
  }

  /** The events of an account, oldest first. */
  async events(user: string): Promise<Event[]> {
    const lines = (await this.must(['audit', '--user', user, '--json'])).split('\n');
    const events = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Event);
    return events.toSorted((a, b) => a.seq - b.seq);
  }

  /** Calls of the module that are under way, as the kernel sees them. */
  openCalls(): number {
    return connectionsAt(pamSocket);
  }
}

export interface Failures {
  readonly codes: number;
  readonly any: number;
}

export interface Event {
  readonly seq: number;
  readonly kind: string;
  readonly outcome: string;
  readonly reason: string;
  readonly service?: string;
  readonly firstFactorVerified?: boolean;
  readonly actor?: string;
  readonly factor?: { readonly kind: string; readonly name: string };
}
