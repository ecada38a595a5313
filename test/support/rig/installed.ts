import { chmodSync, copyFileSync, cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { base32, hotp, newSecret } from '../codes.ts';
import { projectRoot } from '../project.ts';
import { Booted } from './booted.ts';
import { type Finished, must } from './commands.ts';
import type { Suite } from './debian-root.ts';
import { shippedModule } from './layout.ts';

const shipped = join(projectRoot, 'pam-config');
const own = '/usr/local/libexec/sallyport-test';

/** A machine with this build on it, installed by hand as docs/reference/pam-stacks.md says, and sallyportd under systemd. */
export class Installed {
  readonly machine: Booted;
  readonly #counters = new Map<string, { readonly secret: Buffer; next: number }>();

  private constructor(machine: Booted) {
    this.machine = machine;
  }

  static async boot(root: string, suite: Suite, realms: string): Promise<Installed> {
    const machine = await Booted.boot(root, (layer) => fill(layer, root, suite), {
      '/usr/lib/sallyport': projectRoot,
    });
    const installed = new Installed(machine);
    try {
      await installed.#setUp(realms);
    } catch (error) {
      await machine.end();
      throw error;
    }
    return installed;
  }

  async #setUp(realms: string): Promise<void> {
    const { machine } = this;
    await machine.must(['sallyport', 'init']);
    await machine.must(['chown', '-R', 'sallyport:', '/var/lib/sallyport', '/etc/sallyport/master.key']);
    const [head = ''] = (await machine.must(['cat', '/etc/sallyport/sallyport.toml'])).split(
      /^\[\[realm\]\]/m,
    );
    await machine.write('/etc/sallyport/sallyport.toml', `${head}\n${realms}\n`);
    await machine.must(['systemctl', 'enable', '--now', 'sallyportd.service']);
  }

  async addPerson(name: string): Promise<void> {
    await this.machine.must(['useradd', '--create-home', '--shell=/bin/bash', name]);
  }

  /** @returns nothing: `code` gives its codes one after the other */
  async addHotp(user: string): Promise<void> {
    const secret = newSecret();
    const argv = ['sallyport', 'factor', 'add', 'hotp', user, '--secret', '-', '--no-verify'];
    await this.machine.must(argv, `${base32(secret)}\n`);
    this.#counters.set(user, { secret, next: 0 });
  }

  code(user: string): string {
    const factor = this.#counters.get(user);
    if (factor === undefined) throw new Error(`${user} has no factor`);
    factor.next += 1;
    return hotp(factor.secret, factor.next - 1);
  }

  /**
   * Real logins through the module and the socket, all beginning at the same moment, each with the next code.
   * @param as whom the programs run as
   * @returns what pam_authenticate returned
   */
  async logins(users: readonly string[], each = 1, as = 'root'): Promise<number[]> {
    const lines = users.map((user) =>
      [user, ...Array.from({ length: each }, () => this.code(user))].join(' '),
    );
    const plan = `/tmp/plan-${++plans}`;
    await this.machine.write(plan, `${lines.join('\n')}\n`, '600');
    await this.machine.must(['chown', as, plan]);
    const who = ['setpriv', `--reuid=${as}`, '--clear-groups'];
    const done = await this.machine.run([...who, `${own}/drive`, '/etc/pam.d', 'code', plan]);
    if (done.status !== 0) throw new Error(`drive: status ${done.status}\n${done.stderr}`);
    return done.stdout
      .trim()
      .split('\n')
      .map((line) => Number(line.split(' ')[3]));
  }

  /** What nsenter(1) is given for one login whose prompt gets a line of standard input; it reports on stdout. */
  loginAtPrompt(user: string): string[] {
    const login = [`${own}/driver`, '/etc/pam.d', 'code', user, 'stdin'];
    return this.machine.enter(['bash', '-c', 'exec "$@" 200>&1', 'bash', ...login]);
  }

  mainPid(): Promise<string> {
    return this.machine.show('sallyportd', 'MainPID');
  }

  /** The one process of sallyportd, as this machine numbers it. */
  pidOutside(): number {
    const [pid, ...more] = this.machine.processesOf('sallyportd.service');
    if (pid === undefined || more.length > 0) throw new Error(`sallyportd has ${more.length + 1} processes`);
    return pid;
  }

  /** Lays a drop-in over sallyportd.service, until the machine ends or `withoutDropIn`. */
  async dropIn(name: string, text: string): Promise<void> {
    await this.machine.write(`/run/systemd/system/sallyportd.service.d/${name}.conf`, text);
    await this.machine.must(['systemctl', 'daemon-reload']);
  }

  async withoutDropIn(name: string): Promise<void> {
    await this.machine.must(['rm', `/run/systemd/system/sallyportd.service.d/${name}.conf`]);
    await this.machine.must(['systemctl', 'daemon-reload']);
  }

  sallyport(...argv: readonly string[]): Promise<Finished> {
    return this.machine.run(['sallyport', ...argv]);
  }

  async end(): Promise<void> {
    await this.machine.end();
  }
}

let plans = 0;

function fill(layer: string, root: string, suite: Suite): void {
  const file = (path: string, text: string, mode = 0o644): void => {
    mkdirSync(join(layer, dirname(path)), { recursive: true });
    writeFileSync(join(layer, path), text);
    chmodSync(join(layer, path), mode);
  };
  const copy = (from: string, to: string): void => {
    mkdirSync(join(layer, dirname(to)), { recursive: true });
    copyFileSync(from, join(layer, to));
  };
  for (const [from, to] of [
    ['systemd', 'usr/lib/systemd/system'],
    ['sysusers.d', 'usr/lib/sysusers.d'],
    ['tmpfiles.d', 'usr/lib/tmpfiles.d'],
    ['pam.d', 'etc/pam.d'],
  ] as const)
    cpSync(join(shipped, from), join(layer, to), { recursive: true });
  file(
    'usr/bin/sallyport',
    '#!/bin/sh\nexec /usr/bin/node /usr/lib/sallyport/dist/cli/main.js "$@"\n',
    0o755,
  );
  file('etc/pam.d/code', 'auth required pam_sallyport.so first_factor=passed\nauth required pam_permit.so\n');
  const [libraries = ''] = readdirSync(join(root, 'usr/lib')).filter((name) => name.endsWith('-linux-gnu'));
  copy(shippedModule, `usr/lib/${libraries}/security/pam_sallyport.so`);
  // Debian 12 has no Node that is new enough.
  if (suite === 'bookworm') copy(process.execPath, 'usr/bin/node');
  mkdirSync(join(layer, own), { recursive: true });
  const drive = join(projectRoot, 'bench/native/drive.c');
  must('cc', ['-O1', '-o', join(layer, own, 'drive'), drive, '-lpam']);
  must('cc', ['-O1', '-o', join(layer, own, 'driver'), join(projectRoot, 'test/native/driver.c'), '-lpam']);
}
