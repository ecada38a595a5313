import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { hotp } from '../codes.ts';
import { type Finished, run, until } from './commands.ts';
import { preparePamMachine, snapshot } from './pam-machine.ts';
import { addPerson, allowSudo, as, type Person, password, setUpRoot } from './people.ts';
import type { Product } from './product.ts';
import { staffAndRest } from './realms.ts';
import { scenario } from './scenario.ts';
import { authorizeKey, makeSshKeys, ssh, startDistributedSshd } from './ssh.ts';
import { sudoFlush, Terminal } from './terminal.ts';

const port = 2240;
/** Where `sallyport pam` keeps its records. */
export const records = '/var/backups/sallyport';

export const said = ({ stdout, stderr, status }: Finished): string => `status ${status}\n${stdout}${stderr}`;

interface Guarded {
  readonly person: Person;
  readonly token: Buffer;
  spent: number;
}

/** `sallyport pam` where Sallyport is installed: the files of the distribution, real sudo, su and sshd. */
export class PamCommand {
  readonly product: Product;
  /** As the distribution has them. */
  readonly before = this.files();
  readonly #people = new Map<string, Guarded>();

  static async prepare(realms = staffAndRest): Promise<PamCommand> {
    const product = await preparePamMachine(realms);
    setUpRoot();
    allowSudo();
    makeSshKeys();
    await startDistributedSshd(port);
    return new PamCommand(product);
  }

  private constructor(product: Product) {
    this.product = product;
  }

  files(): Readonly<Record<string, string>> {
    return snapshot('/etc/pam.d', '/etc/ssh/sshd_config.d');
  }

  /** Somebody with a key for ssh and, unless it is said, a token. */
  async add(name: string, withToken = true): Promise<Person> {
    const person = addPerson(name);
    authorizeKey(person);
    const token = withToken ? await this.product.addHotp(name) : Buffer.alloc(0);
    this.#people.set(name, { person, token, spent: 0 });
    return person;
  }

  person(name: string): Person {
    return this.#of(name).person;
  }

  /** The next code of the token. */
  code(name: string): string {
    const found = this.#of(name);
    found.spent += 1;
    return hotp(found.token, found.spent - 1);
  }

  #of(name: string): Guarded {
    const found = this.#people.get(name);
    if (found === undefined) throw new Error(`nobody is called ${name}`);
    return found;
  }

  /** What starts the command as root, on behalf of somebody, as sudo does. */
  command(who: string, ...argv: readonly string[]): string[] {
    const uid = who === 'root' ? 0 : this.person(who).uid;
    return ['env', `SUDO_UID=${uid}`, process.execPath, ...this.product.command(['pam', ...argv])];
  }

  run(who: string, ...argv: readonly string[]): Promise<Finished> {
    const [program = '', ...rest] = this.command(who, ...argv);
    return run(program, rest);
  }

  async must(who: string, ...argv: readonly string[]): Promise<Finished> {
    const done = await this.run(who, ...argv);
    assert.equal(done.status, 0, said(done));
    return done;
  }

  isBack(): Promise<void> {
    const under = () => ['try', 'reverting'].some((name) => existsSync(`${records}/${name}`));
    return until('everything is put back', () => !under(), 60_000);
  }

  /** Those who put a change back; the namespace of processes is the test's own. */
  watchers(): readonly number[] {
    const watching = /^\/bin\/sh\0\/var\/backups\/sallyport\/revert\0wait\0/;
    return readdirSync('/proc').flatMap((pid) => {
      try {
        return watching.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1')) ? [Number(pid)] : [];
      } catch {
        return [];
      }
    });
  }

  /** A test, which leaves the machine as it was. */
  change(name: string, body: () => Promise<void>): void {
    scenario(this.product, name, async () => {
      try {
        await body();
      } finally {
        if (existsSync(`${records}/try`)) await this.run('root', 'revert');
        if (!isDeepStrictEqual(this.files(), this.before))
          await this.run('root', 'disable', '--all', '--yes', '--reload');
      }
      assert.deepEqual(this.files(), this.before);
    });
  }

  /** sudo with password and code, up to what comes after them. */
  async sudo(name: string, ...command: readonly string[]): Promise<Terminal> {
    const terminal = new Terminal([...as(this.person(name)), 'sudo', '-k', ...command]);
    await typed(terminal, new RegExp(`password for ${name}: `), password);
    await typed(terminal, /code: /, this.code(name));
    return terminal;
  }

  keyLogin(name: string, command: readonly string[], options: readonly string[] = []): Terminal {
    return new Terminal(ssh(name, { port, key: true, options }, command));
  }

  async opensWithoutCode(name: string): Promise<boolean> {
    const batch = ssh(name, { port, key: true, options: ['BatchMode=yes'] }, ['echo', 'in']);
    return (await run('timeout', ['20', ...batch])).stdout === 'in\n';
  }
}

/** sudo empties its input a moment after its prompt stands there. */
export async function typed(terminal: Terminal, prompt: RegExp, text: string): Promise<void> {
  await terminal.expect(prompt);
  await new Promise((resolve) => setTimeout(resolve, sudoFlush));
  terminal.send(`${text}\r`);
}
