import { loadavg } from 'node:os';
import type { Contestant } from './candidate.ts';
import { hotp, sshSk, yubikey } from './devices.ts';
import { Driver } from './driver.ts';
import { measureFirstTouch } from './first-touch.ts';
import { floors } from './floors.ts';
import { type DaemonFigures, evaluate, type Figures } from './goals.ts';
import { measureLatency } from './latency.ts';
import { describeMachine, prepareMachine } from './machine.ts';
import { type Cell, measure, median, runLogins, unlessItFails } from './measure.ts';
import { benchDirectory, enterNamespace } from './namespace.ts';
import { type Options, parts, readOptions, usage } from './options.ts';
import { emptyStack, googleAuthenticator, oath } from './peers.ts';
import { mostClients } from './people.ts';
import { urgently } from './process.ts';
import { measureRest, type Rest } from './rest.ts';
import { Sallyport, type SallyportOptions } from './sallyport.ts';
import type { Scope } from './scope.ts';
import { goalTable, latencyTable, restTable, rowTable, touchLine, verificationTable } from './table.ts';
import { measureVerification, type Verification } from './verification.ts';

const exits = { usage: 2, notPermitted: 77 } as const;
const starts = 3;
const manyUsers = 'pam_sallyport, many users';

type Measured = { -readonly [Name in keyof Figures]: Figures[Name] } & {
  verifications?: readonly Verification[];
};

function progress(text: string): void {
  process.stderr.write(`${Math.round(performance.now() / 1000)} s: ${text}\n`);
}

function everyFew(done: number): void {
  if (done % 100_000 === 0) progress(`  ${done}`);
}

/** Each in a process of its own, with a store of its own. */
async function lone(directory: string, { scope, base }: Options): Promise<Contestant[]> {
  const options = { users: 1, warmUp: scope.warmUp, prefix: urgently };
  const build = (other: Partial<SallyportOptions>): Sallyport =>
    new Sallyport(directory, { ...options, device: hotp, ...other });
  const sallyports = [
    ...[hotp, yubikey, sshSk].map((device) => build({ device })),
    build({ module: manyUsers, users: scope.most }),
    ...(base === undefined ? [] : [build({ module: 'pam_sallyport, base', build: base })]),
  ];
  for (const sallyport of sallyports) {
    progress(`preparing ${sallyport.module}`);
    await sallyport.setUp(everyFew);
    sallyport.rest();
  }
  return [
    emptyStack(directory),
    ...floors(directory, scope.warmUp),
    googleAuthenticator(directory),
    oath(directory, 1),
    ...sallyports,
  ];
}

async function measureOneClient(directory: string, options: Options, figures: Measured): Promise<void> {
  const { scope } = options;
  const driver = new Driver(directory, urgently);
  const all = await lone(directory, options);
  try {
    figures.latencies = await measureLatency(driver, all, { ...scope, progress });
    say(options, latencyTable(figures.latencies));
    const many = all.find(({ module }) => module === manyUsers);
    if (many instanceof Sallyport) figures.daemon = await figuresOf(many, driver);
    if (!options.parts.includes('rest')) return;
    const rests: Rest[] = [];
    const resting = all.filter(({ module }) => !/empty|YubiKey|ssh-sk|many/.test(module));
    for (const plan of scope.rests) {
      rests.push(...(await measureRest(driver, resting, plan, progress)));
      figures.rests = rests;
    }
    say(options, restTable(rests));
  } finally {
    for (const one of all) await unlessItFails(progress, async () => one.stop?.());
  }
}

/** In the order of the table. */
async function contestants(
  directory: string,
  { clients, users, devices, warmUp }: Scope,
): Promise<Contestant[]> {
  const counts = [...clients, ...users];
  progress('writing the files of the peers');
  const peers = [
    emptyStack(directory),
    googleAuthenticator(directory),
    ...counts.map((count) => oath(directory, count)),
  ];
  const sallyports = [
    ...users.map((count) => new Sallyport(directory, { users: count, warmUp, device: hotp })),
    ...devices.flatMap((device) =>
      clients.map((count) => new Sallyport(directory, { users: count, warmUp, device })),
    ),
  ];
  for (const sallyport of sallyports) {
    progress(`making a store of ${sallyport.users} accounts`);
    await sallyport.setUp(everyFew);
    sallyport.rest();
  }
  return [...peers, ...sallyports];
}

/** Where users play a part, a store that was made for one number of clients serves only that number. */
function cellsOf(all: readonly Contestant[], { clients, users }: Scope): Cell[] {
  return all.flatMap((contestant) => {
    const fits = (count: number): boolean =>
      contestant.users === undefined || users.includes(contestant.users) || contestant.users === count;
    return clients.filter(fits).map((count) => ({ contestant, clients: count }));
  });
}

async function measureCrowd(directory: string, options: Options, figures: Measured): Promise<void> {
  const { scope } = options;
  const driver = new Driver(directory);
  const all = await contestants(directory, scope);
  try {
    figures.rows = await measure(driver, cellsOf(all, scope), { ...scope, progress });
    say(options, rowTable(figures.rows));
  } finally {
    for (const one of all) await unlessItFails(progress, async () => one.stop?.());
  }
}

async function figuresOf(sallyport: Sallyport, driver: Driver): Promise<DaemonFigures> {
  progress(`restarting the daemon with ${sallyport.users} users`);
  await unlessItFails(progress, () => runLogins(driver, { contestant: sallyport, clients: mostClients }, 20));
  const memory = sallyport.memory();
  const times: number[] = [];
  for (let start = 0; start < starts; start += 1)
    times.push((await unlessItFails(progress, () => sallyport.startUp(driver))) ?? Number.NaN);
  sallyport.rest();
  return { users: sallyport.users, memory, startUp: median(times.filter(Number.isFinite)) };
}

async function measureKeys(directory: string, options: Options, figures: Measured): Promise<void> {
  progress('verifying the assertion of a security key');
  const { repeats, seconds } = options.scope;
  figures.verifications = await measureVerification(directory, { repeats, seconds });
  say(options, verificationTable(figures.verifications));
  figures.firstTouch = await measureFirstTouch(directory);
  say(options, touchLine(figures.firstTouch));
}

/** At once: whatever fails later, this is there. */
function say({ json }: Options, table: string): void {
  if (!json) process.stdout.write(`${table}\n\n`);
}

async function bench(directory: string, options: Options): Promise<void> {
  const load = loadavg()[0] ?? 0;
  const figures: Measured = { latencies: [], rests: [], rows: [] };
  prepareMachine(directory);
  const measures = { 'one-client': measureOneClient, crowd: measureCrowd, keys: measureKeys };
  for (const part of ['one-client', 'crowd', 'keys'] as const) {
    if (options.parts.includes(part) || (part === 'one-client' && options.parts.includes('rest')))
      await unlessItFails(progress, () => measures[part](directory, options, figures));
  }
  const isWhole = options.parts.length === parts.length;
  const goals = evaluate(figures).filter(({ value }) => isWhole || Number.isFinite(value));
  const about = { machine: describeMachine(), load, date: new Date().toISOString(), node: process.version };
  say(options, `${goalTable(goals)}\n\n${lastLine(about)}`);
  if (options.json) process.stdout.write(`${JSON.stringify({ ...about, ...figures, goals })}\n`);
}

/** A machine that was busy before says little, and the reader should know. */
function lastLine(about: { machine: string; load: number; date: string; node: string }): string {
  const { machine, load, date, node } = about;
  return `${machine}, load before ${load.toFixed(1)}; ${date.slice(0, 10)}; Node ${node}`;
}

function options(): Options | undefined {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${usage}`);
    return undefined;
  }
}

const wanted = options();
const directory = benchDirectory();
if (wanted === undefined) {
  process.exitCode = exits.usage;
} else if (process.getuid?.() !== 0) {
  process.stderr.write('the benchmark makes a mount namespace, which takes root; run: sudo npm run bench\n');
  process.exitCode = exits.notPermitted;
} else if (directory === undefined) {
  await enterNamespace(import.meta.filename, process.argv.slice(2));
} else {
  await bench(directory, wanted);
}
