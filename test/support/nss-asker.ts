import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type AccountsOptions, createAccounts } from '../../daemon/host/accounts.ts';
import { type AccountKey, addonFile, loadAddon } from '../../daemon/host/addon.ts';
import type { Accounts } from '../../daemon/host/contract.ts';
import { modeFile } from './nss-namespace.ts';

/** What the program is to do, as JSON in its first argument; its last line of output is the outcomes. */
export interface Script {
  readonly steps: readonly Step[];
  /** Threads and room other than the daemon's. */
  readonly pool?: { readonly threads: number; readonly queue: number };
  readonly end: 'return' | 'exit';
}

export interface Step {
  /** For test/native/nss_slow.c. */
  readonly mode: string;
  /** All asked at once. */
  readonly ask: readonly AccountKey[];
  readonly groups: readonly string[];
  readonly waitMs: number;
}

export interface Outcome {
  /** "absent", "unavailable", or "NAME UID GID" and the memberships in the order of the groups. */
  readonly answers: readonly string[];
  /** What the unavailable ones say. */
  readonly whys: readonly string[];
  readonly ms: number;
  /** The longest time that the event loop stood still. */
  readonly loopDelayMs: number;
  /** How long reading a file took, asked right after the accounts: it needs libuv's own threads. */
  readonly fileMs: number;
}

async function ask(
  accounts: Accounts,
  key: AccountKey,
  groups: readonly string[],
  whys: string[],
): Promise<string> {
  const lookup = 'name' in key ? accounts.byName(key.name, groups) : accounts.byUid(key.uid, groups);
  const answer = await lookup;
  if (answer.status === 'unavailable') whys.push(answer.why);
  if (answer.status !== 'found') return answer.status;
  const { name, uid, gid } = answer.account;
  return [name, uid, gid, ...groups.map((group) => answer.groups.get(group))].join(' ');
}

async function take(step: Step, { lookup, local }: AccountsOptions): Promise<Outcome> {
  writeFileSync(modeFile, `${step.mode}\n`);
  const accounts = createAccounts({ lookup, local, waitMs: step.waitMs });
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const start = performance.now();
  const whys: string[] = [];
  const asked = step.ask.map((key) => ask(accounts, key, step.groups, whys));
  await readFile('/etc/hostname').catch(() => undefined);
  const fileMs = performance.now() - start;
  const answers = await Promise.all(asked);
  const ms = performance.now() - start;
  delay.disable();
  return { answers, whys, ms, loopDelayMs: delay.max / 1e6, fileMs };
}

function sourcesOf(script: Script): AccountsOptions {
  const addon = script.pool === undefined ? loadAddon() : createRequire(import.meta.url)(addonFile());
  if (script.pool !== undefined) addon.startLookups(script.pool);
  return { lookup: addon.lookupAccount, local: addon.localAccount };
}

const script = JSON.parse(process.argv[2] ?? '') as Script;
const from = sourcesOf(script);
const outcomes: Outcome[] = [];
for (const step of script.steps) outcomes.push(await take(step, from));
writeFileSync(1, `${JSON.stringify(outcomes)}\n`);
if (script.end === 'exit') process.exit(0);
