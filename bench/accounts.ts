import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { UserPage } from '../daemon/api/views.ts';
import { createClient } from '../daemon/client/client.ts';
import { rootedPaths } from '../daemon/config/defaults.ts';
import { cliMain, daemonMain, describeMachine, must } from './machine.ts';
import { quantile } from './measure.ts';
import { crowd } from './people.ts';
import { fillStore } from './seed-store.ts';

/**
 * How long a page of the administrators' list of accounts takes: asked of sallyportd itself, and over HTTP of the
 * portal in front of it, by somebody who is signed in.
 * `node dist/bench/accounts.js [USERS]`, as root; below a directory of its own, which goes again.
 */
const goal = 200;
const rounds = 200;
const warmUp = 20;
/** What the page of the portal asks for at a time. */
const pageSize = 50;
const users = Number(process.argv[2] ?? 100_000);
const portalPort = 18_462;
const origin = `http://localhost:${portalPort}`;
const portalMain = join(import.meta.dirname, '../portal/main.js');

interface Question {
  readonly name: string;
  readonly after?: string;
  readonly search?: string;
  readonly least: number;
}

const directory = mkdtempSync('/var/tmp/sallyport-accounts-');
const root = join(directory, 'root');
const paths = rootedPaths(root);
const config = join(root, 'etc/sallyport.toml');
const log = openSync(join(directory, 'log'), 'a');
const children: ReturnType<typeof spawn>[] = [];
try {
  must(process.execPath, [cliMain, 'init', '--root', root]);
  const laid = readFileSync(config, 'utf8');
  const tables = `[webauthn]\nrp_id = "localhost"\n\n[portal]\norigins = ["${origin}"]\nlisten = "127.0.0.1:${portalPort}"\n`;
  const first = laid.search(/^\[\[realm\]\]/m);
  writeFileSync(config, `${laid.slice(0, first)}\n${tables}\n${laid.slice(first)}`);
  await fillStore(root, users, () => undefined);
  start(daemonMain);
  await until(() => existsSync(paths.pamSocket));
  await measureAll();
} finally {
  for (const child of children) child.kill('SIGTERM');
  await Promise.all(
    children.map((child) => child.exitCode ?? new Promise((done) => child.once('exit', done))),
  );
  rmSync(directory, { recursive: true, force: true });
}

async function measureAll(): Promise<void> {
  const names = [...crowd(users)];
  const middle = names[Math.floor(names.length / 2)] ?? '';
  const questions: readonly Question[] = [
    { name: 'first page', least: pageSize },
    { name: 'a page in the middle', after: middle, least: pageSize },
    { name: 'search with a page of hits', search: middle.slice(0, 3), least: pageSize },
    { name: 'search with one hit', search: middle, least: 1 },
    { name: 'search with none', search: 'zebra', least: 0 },
  ];
  process.stdout.write(`${users} accounts, ${pageSize} a page, ${rounds} times each; ${describeMachine()}\n`);
  const client = createClient({ socket: paths.controlSocket });
  let isMet = await measure('sallyportd', questions, ({ after, search }) =>
    client.users(after, pageSize, search),
  );
  start(portalMain);
  const cookie = await signedIn();
  isMet = (await measure('the portal', questions, (one) => overHttp(one, cookie))) && isMet;
  process.exitCode = isMet ? 0 : 1;
}

async function measure(
  whom: string,
  questions: readonly Question[],
  ask: (question: Question) => Promise<UserPage>,
): Promise<boolean> {
  let isMet = true;
  for (const question of questions) {
    const times: number[] = [];
    for (let round = 0; round < warmUp + rounds; round += 1) {
      const began = performance.now();
      const { users: found } = await ask(question);
      if (round >= warmUp) times.push(performance.now() - began);
      const isAsExpected = question.least === 0 ? found.length === 0 : found.length >= question.least;
      if (!isAsExpected) throw new Error(`${whom}, ${question.name}: ${found.length} accounts`);
    }
    times.sort((a, b) => a - b);
    const [usual, slow] = [quantile(times, 0.5), quantile(times, 0.95)];
    const verdict = slow < goal ? 'met' : 'missed';
    isMet &&= slow < goal;
    process.stdout.write(
      `${whom}, ${question.name}: p50 ${usual.toFixed(1)} ms, p95 ${slow.toFixed(1)} ms; goal ${goal} ms: ${verdict}\n`,
    );
  }
  return isMet;
}

function start(main: string): void {
  children.push(spawn(process.execPath, [main, '--config', config], { stdio: ['ignore', log, log] }));
}

/** By a link of one's own: nobody's password is needed, and none stands here. */
async function signedIn(): Promise<string> {
  const { url } = JSON.parse(
    must(process.execPath, [cliMain, '--config', config, 'portal', 'link', '--json']),
  );
  const link = new URLSearchParams(new URL(url).hash.slice(1)).get('link');
  const body = JSON.stringify({ user: 'root', by: 'link', link });
  let cookie: string | undefined;
  await until(async () => {
    const answer = await send(
      'POST',
      '/api/sign-in',
      { origin, 'content-type': 'application/json' },
      body,
    ).catch(() => undefined);
    if (answer === undefined) return false;
    if (answer.status !== 200) throw new Error(`signing in: ${answer.status} ${answer.body}`);
    cookie = answer.cookie;
    return true;
  });
  return cookie ?? '';
}

async function overHttp({ after, search }: Question, cookie: string): Promise<UserPage> {
  const query = new URLSearchParams({
    limit: String(pageSize),
    ...(after && { after }),
    ...(search && { search }),
  });
  const { status, body } = await send('GET', `/api/users?${query}`, { cookie });
  if (status !== 200) throw new Error(`the portal: ${status} ${body}`);
  return JSON.parse(body);
}

function send(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body = '',
): Promise<{ readonly status: number; readonly body: string; readonly cookie?: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({
      host: '127.0.0.1',
      port: portalPort,
      method,
      path,
      headers: { host: `localhost:${portalPort}`, ...headers },
    });
    asked.once('error', reject);
    asked.once('response', async (response) => {
      const [cookie] = response.headers['set-cookie']?.[0]?.split(';') ?? [];
      const whole = await text(response);
      resolve({ status: response.statusCode ?? 0, body: whole, ...(cookie === undefined ? {} : { cookie }) });
    });
    asked.end(body);
  });
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 30_000;
  while (!(await holds())) {
    if (performance.now() > end)
      throw new Error(`nothing came up:\n${readFileSync(join(directory, 'log'), 'utf8')}`);
    await delay(10);
  }
}
