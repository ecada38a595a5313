import { existsSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import type { ExplainQuery, ExplainView } from '../../daemon/api/views.ts';
import type { ControlClient } from '../../daemon/client/client.ts';
import type { Progress } from '../lib/progress.ts';
import { type Account, accounts, caller, hasPassword } from './accounts.ts';
import { checkStack, guards, ourLines } from './check.ts';
import type { PamFiles } from './files.ts';
import { pathsOf } from './installed.ts';
import type { ModuleLine } from './lines.ts';
import { lossesOf, type Safety } from './losses.ts';
import { ancestors } from './new-login-check.ts';
import type { Plan } from './plan.ts';
import { placeOf, readStack } from './read.ts';
import { hasKeys } from './ssh-keys.ts';
import { sshdSettings } from './sshd.ts';

export interface SafetyOptions {
  readonly plan: Plan;
  readonly client: ControlClient;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly onTrial: boolean;
  /** The current files. */
  readonly files: PamFiles;
  readonly progress: Progress;
  readonly now: number;
  /** Whether --yes was given. */
  readonly isMeant: boolean;
}

/**
 * Checks which accounts a change would lock out.
 *
 * Invariants: nothing is changed while sallyportd does not answer, the module is missing, or root or the caller could
 * not log in through the new stack.
 */
export async function assess(options: SafetyOptions): Promise<Safety> {
  const { plan, client } = options;
  const module = await moduleFaults(plan);
  try {
    await client.status();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return {
      blockers: [...module, `sallyportd does not answer, so every login would be refused: ${why}`],
      warnings: [],
    };
  }
  const people = await peopleFaults(options);
  const way = rootsWay(plan);
  const without = `root could not log in while sallyportd is unavailable: ${way ?? ''}`;
  return {
    blockers: [...module, ...people.blockers, ...(way !== undefined && !options.onTrial ? [without] : [])],
    warnings: [...people.warnings, ...(way !== undefined && options.onTrial ? [without] : [])],
  };
}

async function moduleFaults({ stack }: Plan): Promise<readonly string[]> {
  const faults = await Promise.all(
    ourLines(stack).map(async (line) => [...fileFault(line), ...(await socketFault(line))]),
  );
  return [...new Set(faults.flat())];
}

function fileFault(line: ModuleLine): readonly string[] {
  const paths = pathsOf(line.module);
  const path = paths.find((one) => existsSync(one));
  if (path === undefined)
    return [`${placeOf(line)} names ${line.module}, which is not installed: ${paths.join(', ')}`];
  const { uid, mode } = statSync(path);
  return uid === 0 && (mode & 0o022) === 0
    ? []
    : [
        `other users than root can write ${path}, which libpam loads as root; run: chown root: ${path}; chmod 644 ${path}`,
      ];
}

/** Checks that the socket of the module accepts a connection. */
function socketFault(line: ModuleLine): Promise<readonly string[]> {
  const path =
    line.options.find((option) => option.startsWith('socket='))?.slice(7) ?? '/run/sallyport/pam.sock';
  return new Promise((resolve) => {
    const socket = connect({ path, timeout: 5_000 });
    const end = (faults: readonly string[]) => {
      socket.destroy();
      resolve(faults);
    };
    const silent = (why: string) => [
      `${placeOf(line)}: sallyportd does not answer on ${path} (${why}); start it, or set socket= as in its configuration`,
    ];
    socket.once('connect', () => end([]));
    socket.once('timeout', () => end(silent('no response')));
    socket.once('error', (error: NodeJS.ErrnoException) => end(silent(error.code ?? error.message)));
  });
}

async function peopleFaults(options: SafetyOptions): Promise<Safety> {
  const { plan, client, environment } = options;
  const me = caller(environment);
  const root = accounts(0)[0];
  const ask = (account: Account) => client.explain(account.name, query(plan.service, environment));
  const meant = new Map<string, Account>();
  if (me !== undefined && !(me.uid === 0 && !asksRoot(plan))) meant.set(me.name, me);
  if (root !== undefined && asksRoot(plan)) meant.set(root.name, root);
  // su asks for the factor of the target account, not of its caller.
  if (isSu(plan) && me !== undefined && me.uid !== 0) meant.delete(me.name);
  const blockers: string[] = me?.uid === 0 ? [...rootOverSsh(plan)] : [];
  for (const account of meant.values())
    blockers.push(...lockedOut(account.name, plan, await ask(account)), ...firstFactorFaults(plan, account));
  const losses = await lossesOf({
    ...options,
    address: environment.SSH_CONNECTION?.split(' ')[0],
    caller: me?.name,
    reported: new Set(blockers.length === 0 ? [] : meant.keys()),
  });
  return { blockers: [...blockers, ...losses.blockers], warnings: losses.warnings };
}

/** sudo does not ask root, root locks no screen, and ssh may not permit root. */
function asksRoot({ service, stackName, dropIn }: Plan): boolean {
  if (service === 'sudo' || service === 'sudo-i' || stackName === 'sallyport-locker') return false;
  return dropIn === undefined || sshdSettings('root').get('permitrootlogin') === 'yes';
}

function isSu({ service }: Plan): boolean {
  return service === 'su' || service === 'su-l';
}

/** A caller in a root session of sshd that could not open another one. */
function rootOverSsh({ dropIn }: Plan): readonly string[] {
  if (dropIn === undefined || !ancestors().some(({ name }) => name.startsWith('sshd'))) return [];
  const permit = sshdSettings('root').get('permitrootlogin') ?? 'yes';
  if (permit === 'yes') return [];
  return [
    `you are logged in over ssh as root, and "PermitRootLogin ${permit}" lets root answer no prompt; ` +
      'log in as another account and use sudo, or set PermitRootLogin yes',
  ];
}

function query(service: string, environment: SafetyOptions['environment']): ExplainQuery {
  const from = environment.SSH_CONNECTION?.split(' ')[0];
  if (service === 'login') return { service, tty: 'tty1' };
  return service === 'sshd' && from !== undefined ? { service, from } : { service };
}

/** Stacks that do not verify a first factor for sallyportd offer no enrolment. */
const unverified = new Set(['sallyport-one-prompt', 'sallyport-locker']);

function lockedOut(
  name: string,
  plan: Plan,
  { decision, detail, file, line }: ExplainView,
): readonly string[] {
  const enrols = decision === 'enrol' && unverified.has(plan.stackName);
  if (decision !== 'refused' && !enrols) return [];
  return [
    `${name} could not log in: ${detail} (${file}:${line}); run: sallyport factor add totp ${name}, ` +
      `or see: sallyport explain ${name} --service ${plan.service}`,
  ];
}

/** The first factor: an SSH key or the password. */
function firstFactorFaults(plan: Plan, account: Account): readonly string[] {
  const password = hasPassword(account.name);
  if (plan.stackName !== 'sallyport-sshd-key')
    return password === false
      ? [`${account.name} has no password, which ${plan.stackName} requires; run: passwd ${account.name}`]
      : [];
  const settings = sshdSettings(account.name);
  return hasKeys(account, settings)
    ? []
    : [
        `${account.name} has no key in authorized_keys, which every login would then require; run: ssh-copy-id`,
      ];
}

/** @returns why root has no login that works without sallyportd; undefined if there is one */
function rootsWay({ after, service }: Plan): string | undefined {
  if (sshOpen(after, service)) return undefined;
  if (after.read('login') === undefined) return 'the service login does not exist; enable a console login';
  const login = readStack(after, 'login', 'auth');
  const open = !guards(login) || checkStack(login).some(({ code }) => code === 'roots-way-in');
  if (!open)
    return `the line ROOT'S CONSOLE FALLBACK is missing in ${login.file ?? dirname('/etc/pam.d/login')}; restore it`;
  return hasPassword('root') === true ? undefined : 'root has no password for the console; run: passwd root';
}

/** Whether sshd admits root with a key, without sallyportd. */
function sshOpen(after: Plan['after'], service: string): boolean {
  if (service === 'sshd' || guards(readStack(after, 'sshd', 'auth')) || !existsSync('/etc/ssh/sshd_config'))
    return false;
  const root = accounts(0)[0];
  try {
    const settings = sshdSettings('root');
    return root !== undefined && settings.get('permitrootlogin') !== 'no' && hasKeys(root, settings);
  } catch {
    return false;
  }
}
