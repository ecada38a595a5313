import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ControlClient, createClient } from '../../daemon/client/client.ts';
import { type CliRun, runCli } from './cli-child.ts';
import { newSecret } from './codes.ts';
import { Client } from './login-rig.ts';
import { answer, type HelloFields, hello } from './module-frames.ts';
import { someoneListens, until } from './rig/commands.ts';
import { daemonMain } from './rig/layout.ts';

/** One realm for the accounts that every machine has, and nothing asked of anybody else. */
export const twoRealms = `
[[realm]]
name = "staff"
members = { users = ["root", "daemon", "bin", "nobody"] }
require = "any"
lockout = { max_code_failures = 3, max_failures = 10, duration = "1h" }

[[realm]]
name = "others"
require = "none"
`;

/** sallyportd as it is built, below a directory of its own, with logins that speak to it as the module does. */
export class DaemonRig {
  readonly root: string;
  readonly config: string;
  readonly log: string;
  readonly client: ControlClient;
  readonly #clients: Client[] = [];
  #daemon: ChildProcess | undefined;

  private constructor(root: string) {
    this.root = root;
    this.config = join(root, 'etc/sallyport.toml');
    this.log = join(root, 'sallyportd.log');
    this.client = createClient({ socket: join(root, 'run/control.sock') });
  }

  /** @param settings what stands before the realms */
  static async start(settings = '', realms = twoRealms): Promise<DaemonRig> {
    const rig = new DaemonRig(join(mkdtempSync(join(tmpdir(), 'sallyport-rig-')), 'root'));
    const laid = await runCli(['init', '--root', rig.root]);
    if (laid.status !== 0) throw new Error(`init: ${laid.err}`);
    const text = readFileSync(rig.config, 'utf8');
    writeFileSync(rig.config, `${settings}\n${text.slice(0, text.search(/^\[\[realm\]\]/m))}\n${realms}`);
    await rig.begin();
    return rig;
  }

  async begin(): Promise<void> {
    const log = openSync(this.log, 'a');
    const daemon = spawn(process.execPath, [daemonMain, '--config', this.config], {
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#daemon = daemon;
    const socket = join(this.root, 'run/pam.sock');
    await until('sallyportd listens', () => someoneListens(socket) || daemon.exitCode !== null, 60_000);
    if (daemon.exitCode !== null)
      throw new Error(`sallyportd ended with ${daemon.exitCode}: ${this.lines()}`);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return;
    const ended = new Promise((resolve) => daemon.once('exit', resolve));
    daemon.kill(signal);
    await ended;
  }

  async remove(): Promise<void> {
    for (const each of this.#clients) each.socket.destroy();
    await this.stop();
    rmSync(join(this.root, '..'), { recursive: true, force: true });
  }

  cli(words: readonly string[], input = ''): Promise<CliRun> {
    return runCli(['--config', this.config, ...words], input);
  }

  /** What sallyportd wrote, line by line. */
  lines(): readonly string[] {
    return readFileSync(this.log, 'utf8').split('\n').slice(0, -1);
  }

  /** Lines of the audit trail alone. */
  auditLines(): readonly string[] {
    return this.lines().filter((line) => line.startsWith('sallyport-audit: '));
  }

  /** One login with one answer. @returns the PAM code */
  async login(fields: HelloFields, typed: string, socket = 'pam.sock'): Promise<number> {
    const login = new Client(join(this.root, 'run', socket));
    this.#clients.push(login);
    login.send(hello(fields));
    await until(
      'a prompt or a result',
      () => login.frames.some(({ type }) => type === 'prompt' || type === 'result'),
      30_000,
    );
    if (login.ofType('prompt').length > 0) login.send(answer(typed));
    await until(
      'a result, or the next prompt',
      () => login.ofType('result').length > 0 || login.ofType('prompt').length > 1,
      30_000,
    );
    const [result] = login.ofType('result');
    login.socket.destroy();
    return result?.type === 'result' ? result.code : -1;
  }

  async addTotp(user: string): Promise<Buffer> {
    const secret = newSecret();
    await this.client.addFactor(user, {
      kind: 'totp',
      secret: secret.toString('base64'),
      period: 30,
      digits: 6,
      algorithm: 'sha1',
      verify: false,
    });
    return secret;
  }

  async addRecovery(user: string): Promise<readonly string[]> {
    return (await this.client.addFactor(user, { kind: 'recovery', verify: false })).recoveryKeys ?? [];
  }
}
