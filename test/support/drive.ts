import { writeFileSync } from 'node:fs';
import { must, run } from './rig/commands.ts';
import { repository } from './rig/layout.ts';
import { work } from './rig/machine.ts';

const program = `${work}/drive`;
let isBuilt = false;

/** One process that logs in with each of its answers, one login after the other. */
export interface Client {
  readonly user: string;
  readonly answers: readonly string[];
}

export interface Login {
  /** Place of the client in the list. */
  readonly client: number;
  /** Milliseconds. */
  readonly took: number;
  /** What pam_authenticate returned. */
  readonly result: number;
}

let plans = 0;

/**
 * Real logins through libpam and the real module; all clients start at the same moment. Each answer is given to every
 * prompt of its login.
 */
export async function drive(
  service: string,
  clients: readonly Client[],
  timeout = 120_000,
): Promise<Login[]> {
  if (!isBuilt) must('cc', ['-O1', '-o', program, `${repository}/bench/native/drive.c`, '-lpam']);
  isBuilt = true;
  plans += 1;
  const plan = `${work}/plan-${plans}`;
  writeFileSync(plan, clients.map(({ user, answers }) => `${[user, ...answers].join(' ')}\n`).join(''), {
    mode: 0o600,
  });
  const finished = await run(program, ['/etc/pam.d', service, plan], { timeout });
  if (finished.status !== 0) throw new Error(`drive: status ${finished.status}\n${finished.stderr}`);
  return finished.stdout
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number))
    .map(([client = 0, start = 0, end = 0, result = -1]) => ({ client, took: (end - start) / 1e6, result }));
}
