import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from '../daemon/client/client.ts';
import { rootedPaths } from '../daemon/config/defaults.ts';
import type { Contestant, ModuleName } from './candidate.ts';
import type { Device } from './devices.ts';
import type { Driver, Login, Plan } from './driver.ts';
import { must, repository, writeService } from './machine.ts';
import { mostClients, people } from './people.ts';
import { Daemon } from './process.ts';
import { fillStore } from './seed-store.ts';

/** A code that was used meanwhile is refused once; more than that is a defect, and says so by its figure. */
const firstLogins = 5;
let made = 0;

/** A tree in which the project was built: of this commit, or of another one to compare it with. */
export interface Build {
  readonly directory: string;
}

const thisBuild: Build = { directory: repository };

export interface SallyportOptions {
  /** How many accounts the store has. */
  readonly users: number;
  /** It takes V8 some thousand logins to compile all that is used in one. */
  readonly warmUp: number;
  readonly device: Device;
  /** As the tables call it; else after the device. */
  readonly module?: ModuleName;
  readonly build?: Build;
  /** Before the command of the daemon. */
  readonly prefix?: readonly string[];
}

/** sallyportd and pam_sallyport.so of one build, with a store. */
export class Sallyport implements Contestant {
  readonly module: ModuleName;
  readonly users: number;
  readonly service: string;
  readonly mostLogins = Number.POSITIVE_INFINITY;
  readonly warmUp: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly #root: string;
  readonly #cli: string;
  readonly #device: Device;
  readonly #daemon: Daemon;
  /** The next code of each account. */
  readonly #next = new Map<string, number>();

  constructor(directory: string, options: SallyportOptions) {
    const { users, warmUp, device, build = thisBuild, prefix = [] } = options;
    this.module = options.module ?? device.module;
    this.#device = device;
    this.users = users;
    this.warmUp = warmUp;
    this.environment = device.environment ?? {};
    made += 1;
    const name = `sallyport-${device.name}-${users}-${made}`;
    this.service = device.service ?? name;
    this.#root = join(directory, name);
    this.#cli = join(build.directory, 'dist/cli/main.js');
    const main = join(build.directory, 'dist/daemon/main.js');
    const { pamSocket } = rootedPaths(this.#root);
    this.#daemon = new Daemon(
      [...prefix, process.execPath, main, '--config', this.configFile],
      pamSocket,
      `${this.#root}.log`,
    );
    const module = join(build.directory, 'build/Release/pam_sallyport.so');
    writeService(directory, this.service, [
      `auth required ${module} socket=${pamSocket} first_factor=passed`,
    ]);
  }

  get configFile(): string {
    return join(this.#root, 'etc/sallyport.toml');
  }

  get paths(): ReturnType<typeof rootedPaths> {
    return rootedPaths(this.#root);
  }

  /** Lays it out, fills it, starts the daemon and enrols those who will log in. */
  async setUp(progress: (done: number) => void = () => undefined): Promise<void> {
    must(process.execPath, [this.#cli, 'init', '--root', this.#root]);
    const { rule } = this.#device;
    if (rule !== undefined) appendFileSync(this.configFile, rule);
    if (this.users > mostClients) await fillStore(this.#root, this.users, progress);
    await this.start();
    const client = createClient({ socket: this.paths.controlSocket });
    for (const person of people.slice(0, this.users))
      await client.addFactor(person.name, this.#device.enrolment(person));
  }

  start(): Promise<void> {
    return this.#daemon.start();
  }

  stop(): Promise<void> {
    return this.#daemon.stop();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  wake(): void {
    this.#daemon.wake();
  }

  rest(): void {
    this.#daemon.rest();
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
    return this.#daemon.cpu();
  }

  /** Anonymous memory, in bytes. */
  memory(): number {
    const status = readFileSync(`/proc/${this.#daemon.pid}/status`, 'latin1');
    return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  /** Milliseconds from the start of the daemon's process until a login has succeeded; NaN: none has. */
  async startUp(driver: Driver): Promise<number> {
    await this.stop();
    const begun = Number(process.hrtime.bigint());
    await this.start();
    for (let tries = 0; tries < firstLogins; tries += 1) {
      const plans = this.plan(1, 1);
      const logins = await driver.run(this, plans);
      this.went(plans, logins);
      const [login] = logins;
      if (login?.result === 0) return (login.end - begun) / 1e6;
    }
    return Number.NaN;
  }
}

/** @param accepted of each code of a plan, in order @returns how many codes are behind it */
export function nextAfter(accepted: readonly boolean[]): number {
  const last = accepted.lastIndexOf(true);
  // What follows on the last accepted one may be used too: its answer was lost. It is not tried again.
  return last === accepted.length - 1 ? accepted.length : last + 2;
}
