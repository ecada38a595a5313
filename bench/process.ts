import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const startDeadline = 300_000;

/** Before a command: what is timed for one client waits for no other work of the machine, where that is allowed. */
export const urgently: readonly string[] =
  spawnSync('chrt', ['-f', '50', 'true']).status === 0 ? ['chrt', '-f', '50'] : [];

/** A daemon that is measured. */
export class Daemon {
  readonly #command: readonly string[];
  readonly #socket: string;
  readonly #log: string;
  #child: ChildProcess | undefined;

  /** @param socket exists as soon as logins are taken */
  constructor(command: readonly string[], socket: string, log: string) {
    this.#command = command;
    this.#socket = socket;
    this.#log = log;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.#command.join(' ')} was not started`);
    return pid;
  }

  async start(): Promise<void> {
    const [program = '', ...argv] = this.#command;
    rmSync(this.#socket, { force: true });
    const log = openSync(this.#log, 'a');
    const child = spawn(program, argv, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#child = child;
    const end = performance.now() + startDeadline;
    while (!existsSync(this.#socket)) {
      if (child.exitCode !== null || performance.now() > end)
        throw new Error(`${this.#command.join(' ')} does not start:\n${readFileSync(this.#log, 'utf8')}`);
      await delay(1);
    }
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    this.wake();
    child.kill('SIGTERM');
    await ended;
  }

  wake(): void {
    this.#child?.kill('SIGCONT');
  }

  rest(): void {
    this.#child?.kill('SIGSTOP');
  }

  /** CPU seconds of all its threads so far. */
  cpu(): number {
    const tasks = `/proc/${this.pid}/task`;
    const spent = readdirSync(tasks).map((task) => nanosecondsOf(`${tasks}/${task}/schedstat`));
    return spent.reduce((sum, each) => sum + each, 0) / 1e9;
  }
}

/** A thread may end between being listed and being read. */
function nanosecondsOf(path: string): number {
  try {
    return Number(readFileSync(path, 'latin1').split(' ')[0]);
  } catch {
    return 0;
  }
}
