import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { readConfig } from '../config/load.ts';
import { describeProblem } from '../config/problem.ts';
import { type Addon, type NssAnswer, nativeFile } from '../host/addon.ts';
import { withDeadline } from '../lib/deadline.ts';
import type { FileOwner } from '../lib/durable.ts';
import { SallyportError } from '../lib/errors.ts';
import { exits } from '../lib/program.ts';
import { pluralise } from '../lib/units.ts';
import { limits } from '../limits.ts';
import { type DaemonAccount, initialise } from './initialise.ts';
import { daemonUser } from './usage.ts';

/** What sallyportd does besides serving, and needs no store for. */

/** @returns the exit status */
export async function check(file: string): Promise<number> {
  const parsed = await readConfig(file, hostname());
  if (parsed.ok) {
    const count = parsed.config.realms.length;
    process.stdout.write(`${file}: valid, ${pluralise(count, 'realm')}\n`);
    return exits.done;
  }
  for (const problem of parsed.problems) process.stderr.write(`${describeProblem(problem)}\n`);
  return exits.config;
}

/** @returns the exit status */
export async function init(
  root: string | undefined,
  file: string | undefined,
  addon: Addon,
  user?: string,
): Promise<number> {
  const helpers = { fido: nativeFile('sallyport-fido'), password: nativeFile('sallyport-password') };
  const daemon = await daemonAccount(root, user, addon);
  const { made, kept } = await initialise({
    root,
    file,
    host: hostname(),
    locks: addon,
    helpers,
    ...(daemon === undefined ? {} : { daemon }),
  });
  for (const path of made) process.stdout.write(`made ${path}\n`);
  for (const path of kept) process.stdout.write(`kept ${path}\n`);
  return exits.done;
}

/** @throws SallyportError `bad-user`: requested by a user who may not */
async function daemonAccount(
  root: string | undefined,
  user: string | undefined,
  { lookupAccount }: Addon,
): Promise<DaemonAccount | undefined> {
  if (root !== undefined || process.geteuid?.() !== 0) {
    if (user === undefined) return undefined;
    throw new SallyportError('bad-user', '--user is for root, and not for what lies below --root');
  }
  const name = user ?? daemonUser;
  // A question to NSS keeps no process alive by itself, and may never be answered.
  const silence: NssAnswer = { status: 'unavailable', why: 'no answer in time' };
  const asked = lookupAccount({ name }, [], limits.nssWait);
  const answer = await withDeadline(asked, limits.nssWait, () => silence);
  if (answer.status === 'unavailable')
    throw new SallyportError('bad-user', `the account ${name} cannot be looked up: ${answer.why}; try again`);
  if (answer.status !== 'found') {
    if (user === undefined && answer.status === 'absent') return undefined;
    throw new SallyportError('bad-user', `there is no account ${name}; make it first: systemd-sysusers`);
  }
  const { uid, gid } = answer;
  return { uid, gid, makeStore: (path) => initAs({ uid, gid }, path) };
}

/** In a separate process: Node cannot give root up where it may have begun to use io_uring. */
async function initAs(account: FileOwner, file: string): Promise<void> {
  const [, program = ''] = process.argv;
  const child = spawn(process.execPath, [program, '--init', '--config', file], {
    ...account,
    cwd: '/',
    env: {},
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [status] = await once(child, 'close');
  if (status !== 0)
    throw new SallyportError(
      'init-failed',
      said.startsWith('sallyportd: ')
        ? said.replace('sallyportd: ', '').trim()
        : `the account cannot run ${program}: every directory on the way must let others in; put the program there`,
    );
}
