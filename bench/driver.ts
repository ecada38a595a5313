import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Contestant } from './candidate.ts';
import { must, repository } from './machine.ts';

/** What one client does: a login with each code, one after the other. */
export interface Plan {
  readonly user: string;
  readonly codes: readonly string[];
}

export interface Login {
  /** The place of its plan. */
  readonly client: number;
  /** Nanoseconds of the monotonic clock, which process.hrtime reads too. */
  readonly start: number;
  readonly end: number;
  /** What pam_authenticate returned; 0 is PAM_SUCCESS. */
  readonly result: number;
}

type Service = Pick<Contestant, 'service' | 'environment'>;

/** The one program that all modules are driven by: bench/native/drive.c. */
export class Driver {
  readonly #directory: string;
  readonly #program: string;
  readonly #prefix: readonly string[];

  /** @param prefix before its command */
  constructor(directory: string, prefix: readonly string[] = []) {
    this.#directory = directory;
    this.#prefix = prefix;
    this.#program = join(directory, 'drive');
    must('cc', ['-O2', '-o', this.#program, join(repository, 'bench/native/drive.c'), '-lpam']);
  }

  /** All clients begin at the same moment. */
  async run({ service, environment }: Service, plans: readonly Plan[]): Promise<Login[]> {
    const plan = join(this.#directory, 'plan');
    writeFileSync(plan, plans.map(({ user, codes }) => `${[user, ...codes].join(' ')}\n`).join(''));
    const variables = Object.entries(environment ?? {}).map(([name, value]) => `${name}=${value}`);
    const argv = [this.#program, join(this.#directory, 'pam.d'), service, plan, ...variables];
    const lines = await outputOf([...this.#prefix, ...argv]);
    return lines.map((line) => {
      const [client = 0, start = 0, end = 0, result = -1] = line.split(' ').map(Number);
      return { client, start, end, result };
    });
  }
}

function outputOf(command: readonly string[]): Promise<string[]> {
  const [program = '', ...argv] = command;
  const child = spawn(program, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => {
      if (status === 0) resolve(output.trim().split('\n'));
      else reject(new Error(`${command.join(' ')}: status ${status}`));
    });
  });
}
