import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import type { Contestant } from './candidate.ts';
import { hotp, yubikey } from './devices.ts';
import { Driver } from './driver.ts';
import { type DaemonFigures, evaluate } from './goals.ts';
import { describeMachine, prepareMachine } from './machine.ts';
import { type Cell, measure, median, unlessItFails } from './measure.ts';
import { benchDirectory, enterNamespace } from './namespace.ts';
import { emptyStack, googleAuthenticator, oath } from './peers.ts';
import { Sallyport } from './sallyport.ts';
import { goalTable, rowTable, verificationTable } from './table.ts';
import { measureVerification } from './verification.ts';

const usage = `usage: npm run bench [-- --quick] [-- --json]

  --quick  fewer users and clients, in under a minute
  --json   one JSON object instead of the tables

Runs as root: it makes a mount namespace with accounts of its own.
`;

const exits = { usage: 2, notPermitted: 77 } as const;
const repeats = 3;
const starts = 3;

/** What the figures of verifying are not. */
const keyNote = `ES256, one after the other, from bytes to verdict, in a process that runs already. A login has one of these,
after the touch. Whole logins by key are not timed: pam_u2f opens real keys alone, and those wait for a finger.`;

interface Scope {
  readonly clients: readonly number[];
  /** Beside as many users as there are clients. */
  readonly users: readonly number[];
  /** Logins that the daemon has done before it is measured. */
  readonly warmUp: number;
  /** About how long one run takes. */
  readonly seconds: number;
  /** No new round of runs begins that would not end by then. */
  readonly budget: number;
}

const whole: Scope = {
  clients: [1, 16, 64],
  users: [100_000, 1_000_000],
  warmUp: 3_000,
  seconds: 1.5,
  budget: 900,
};
const quick: Scope = { clients: [1, 64], users: [10_000], warmUp: 800, seconds: 0.5, budget: 30 };

interface Options {
  readonly quick: boolean;
  readonly json: boolean;
}

function readOptions(): Options | undefined {
  const flag = { type: 'boolean', default: false } as const;
  try {
    return parseArgs({ options: { quick: flag, json: flag } }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${usage}`);
    return undefined;
  }
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** In the order of the table. */
async function contestants(directory: string, scope: Scope): Promise<Contestant[]> {
  const counts = [...scope.clients, ...scope.users];
  progress('writing the files of the peers');
  const peers = [
    emptyStack(directory),
    googleAuthenticator(directory),
    ...counts.map((users) => oath(directory, users)),
  ];
  const sallyports = [
    ...counts.map((users) => new Sallyport(directory, users, scope.warmUp, hotp)),
    ...scope.clients.map((users) => new Sallyport(directory, users, scope.warmUp, yubikey)),
  ];
  for (const sallyport of sallyports) {
    progress(`making a store of ${sallyport.users} accounts`);
    await sallyport.setUp((done) => {
      if (done % 100_000 === 0) progress(`  ${done}`);
    });
    sallyport.rest();
  }
  return [...peers, ...sallyports];
}

/** Where users play a part, a store that was made for one number of clients serves that number alone. */
function cellsOf(all: readonly Contestant[], { clients, users }: Scope): Cell[] {
  return all.flatMap((contestant) => {
    const fits = (count: number): boolean =>
      contestant.users === undefined || users.includes(contestant.users) || contestant.users === count;
    return clients.filter(fits).map((count) => ({ contestant, clients: count }));
  });
}

async function figuresOf(sallyport: Sallyport, driver: Driver): Promise<DaemonFigures> {
  const memory = sallyport.memory();
  const times: number[] = [];
  for (let start = 0; start < starts; start += 1)
    times.push((await unlessItFails(progress, () => sallyport.startUp(driver))) ?? Number.NaN);
  return { users: sallyport.users, memory, startUp: median(times.filter(Number.isFinite)) };
}

async function bench(directory: string, options: Options): Promise<void> {
  const scope = options.quick ? quick : whole;
  const load = loadavg()[0] ?? 0;
  prepareMachine(directory);
  const driver = new Driver(directory);
  progress('verifying the assertion of a security key');
  const verifications =
    (await unlessItFails(progress, () =>
      measureVerification(directory, { repeats, seconds: scope.seconds }),
    )) ?? [];
  const all = await contestants(directory, scope);
  const daemons = all.filter((one) => one instanceof Sallyport);
  try {
    const rows = await measure(driver, cellsOf(all, scope), { repeats, ...scope, progress });
    const largest = daemons.findLast(({ module }) => module === hotp.module);
    if (largest === undefined) throw new Error('there is no daemon');
    progress('starting the daemon anew');
    const daemon = await figuresOf(largest, driver);
    const goals = evaluate(rows, daemon);
    const about = { machine: describeMachine(), load, date: new Date().toISOString(), node: process.version };
    const figures = { ...about, quick: options.quick, rows, verifications, daemon, goals };
    const tables = [
      rowTable(rows),
      verificationTable(verifications),
      keyNote,
      goalTable(goals),
      lastLine(about),
    ];
    process.stdout.write(`${options.json ? JSON.stringify(figures) : tables.join('\n\n')}\n`);
  } finally {
    for (const daemon of daemons) await daemon.stop();
  }
}

/** A machine that was busy before says little, and the reader should know. */
function lastLine(about: { machine: string; load: number; date: string; node: string }): string {
  const { machine, load, date, node } = about;
  return `${machine}, load before ${load.toFixed(1)}; ${date.slice(0, 10)}; Node ${node}`;
}

const options = readOptions();
const directory = benchDirectory();
if (options === undefined) {
  process.exitCode = exits.usage;
} else if (process.getuid?.() !== 0) {
  process.stderr.write('the benchmark makes a mount namespace, which takes root; run: sudo npm run bench\n');
  process.exitCode = exits.notPermitted;
} else if (directory === undefined) {
  await enterNamespace(import.meta.filename, process.argv.slice(2));
} else {
  await bench(directory, options);
}
