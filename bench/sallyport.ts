import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '../daemon/client/client.ts';
import { rootedPaths } from '../daemon/config/defaults.ts';
import type { Contestant, ModuleName } from './candidate.ts';
import type { Device } from './devices.ts';
import type { Driver, Login, Plan } from './driver.ts';
import { cliMain, daemonMain, must, repository, writeService } from './machine.ts';
import { mostClients, people } from './people.ts';
import { fillStore } from './seed-store.ts';

const ticksPerSecond = Number(must('getconf', ['CLK_TCK']));
const startDeadline = 300_000;
/** A code that was used meanwhile is refused once; more than that is a defect, and says so by its figure. */
const firstLogins = 5;

/** sallyportd and pam_sallyport.so of this build, with a store of so many accounts. */
export class Sallyport implements Contestant {
  readonly module: ModuleName;
  readonly users: number;
  readonly service: string;
  readonly mostLogins = Number.POSITIVE_INFINITY;
  readonly warmUp: number;
  readonly #root: string;
  readonly #device: Device;
  /** The next code of each account. */
  readonly #next = new Map<string, number>();
  #daemon: ChildProcess | undefined;

  /** @param warmUp it takes V8 some thousand logins to compile all that is used in one */
  constructor(directory: string, users: number, warmUp: number, device: Device) {
    this.module = device.module;
    this.#device = device;
    this.users = users;
    this.warmUp = warmUp;
    this.service = `sallyport-${device.name}-${users}`;
    this.#root = join(directory, this.service);
    const socket = rootedPaths(this.#root).pamSocket;
    const module = join(repository, 'build/Release/pam_sallyport.so');
    writeService(directory, this.service, [`auth required ${module} socket=${socket} first_factor=passed`]);
  }

  /** Lays it out, fills it, starts the daemon and enrols those who will log in. */
  async setUp(progress: (done: number) => void): Promise<void> {
    must(process.execPath, [cliMain, 'init', '--root', this.#root]);
    if (this.users > mostClients) await fillStore(this.#root, this.users, progress);
    await this.start();
    const client = createClient({ socket: rootedPaths(this.#root).controlSocket });
    for (const person of people.slice(0, this.users))
      await client.addFactor(person.name, this.#device.enrolment(person));
  }

  async start(): Promise<void> {
    const log = openSync(`${this.#root}.log`, 'a');
    const daemon = spawn(process.execPath, [daemonMain, '--config', `${this.#root}/etc/sallyport.toml`], {
      stdio: ['ignore', log, log],
    });
    this.#daemon = daemon;
    const { pamSocket } = rootedPaths(this.#root);
    const end = performance.now() + startDeadline;
    // The root socket is the last thing that the daemon makes.
    while (!existsSync(pamSocket)) {
      if (daemon.exitCode !== null || performance.now() > end)
        throw new Error(`sallyportd does not start:\n${readFileSync(`${this.#root}.log`, 'utf8')}`);
      await delay(1);
    }
  }

  async stop(): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined || daemon.exitCode !== null) return;
    const ended = new Promise((resolve) => daemon.once('exit', resolve));
    this.wake();
    daemon.kill('SIGTERM');
    await ended;
  }

  wake(): void {
    this.#daemon?.kill('SIGCONT');
  }

  rest(): void {
    this.#daemon?.kill('SIGSTOP');
  }

  plan(clients: number, logins: number): Plan[] {
    return people.slice(0, clients).map((person) => {
      const first = this.#next.get(person.name) ?? 0;
      this.#next.set(person.name, first + logins);
      return { user: person.name, codes: this.#device.codes(person, first, logins) };
    });
  }

  went(plans: readonly Plan[], logins: readonly Login[]): void {
    for (const [client, { user, codes }] of plans.entries()) {
      const own = logins.filter((login) => login.client === client);
      const first = (this.#next.get(user) ?? 0) - codes.length;
      this.#next.set(user, first + nextAfter(own.map(({ result }) => result === 0)));
    }
  }

  cpu(): number {
    const stat = readFileSync(`/proc/${this.#pid}/stat`, 'latin1');
    const [user = 0, system = 0] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13)
      .map(Number);
    return (user + system) / ticksPerSecond;
  }

  /** Anonymous memory, in bytes. */
  memory(): number {
    const status = readFileSync(`/proc/${this.#pid}/status`, 'latin1');
    return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  /** Milliseconds from the start of the daemon's process until a login has succeeded; NaN: none has. */
  async startUp(driver: Driver): Promise<number> {
    await this.stop();
    const begun = Number(process.hrtime.bigint());
    await this.start();
    for (let tries = 0; tries < firstLogins; tries += 1) {
      const plans = this.plan(1, 1);
      const logins = await driver.run(this.service, plans);
      this.went(plans, logins);
      const [login] = logins;
      if (login?.result === 0) return (login.end - begun) / 1e6;
    }
    return Number.NaN;
  }

  get #pid(): number {
    const pid = this.#daemon?.pid;
    if (pid === undefined) throw new Error('sallyportd was not started');
    return pid;
  }
}

/** @param accepted of each code of a plan, in order @returns how many codes are behind it */
export function nextAfter(accepted: readonly boolean[]): number {
  const last = accepted.lastIndexOf(true);
  // What follows on the last accepted one may be used too: its answer was lost. It is not tried again.
  return last === accepted.length - 1 ? accepted.length : last + 2;
}
