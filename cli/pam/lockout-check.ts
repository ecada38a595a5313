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
  /** As they are. */
  readonly files: PamFiles;
  readonly progress: Progress;
  readonly now: number;
  /** --yes: somebody knows what they do. */
  readonly isMeant: boolean;
}

/**
 * Who would be locked out.
 *
 * What MUST hold: nothing is changed while sallyportd does not answer, the module is not where the stack names it,
 * or root or the caller could not log in through it.
 */
export async function assess(options: SafetyOptions): Promise<Safety> {
  const { plan, client } = options;
  const module = await moduleFaults(plan);
  try {
    await client.status();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return {
      blockers: [...module, `sallyportd does not answer, so nobody would get in: ${why}`],
      warnings: [],
    };
  }
  const people = await peopleFaults(options);
  const way = rootsWay(plan);
  const without = `root would have no way in while sallyportd is away: ${way ?? ''}`;
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
    : [`${path} can be written by others than root; libpam loads it as root: chown root: and chmod 644 it`];
}

/** The daemon that the module would ask is the one that answers: its socket takes a connection. */
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
      `${placeOf(line)}: nobody answers on ${path} (${why}); start sallyportd, or say socket= as its configuration does`,
    ];
    socket.once('connect', () => end([]));
    socket.once('timeout', () => end(silent('no answer')));
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
  // su asks for what belongs to the account that it becomes; whoever calls it is another matter.
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

/** root is not asked by sudo at all, locks no screen, and comes over ssh only where it may. */
function asksRoot({ service, stackName, dropIn }: Plan): boolean {
  if (service === 'sudo' || service === 'sudo-i' || stackName === 'sallyport-locker') return false;
  return dropIn === undefined || sshdSettings('root').get('permitrootlogin') === 'yes';
}

function isSu({ service }: Plan): boolean {
  return service === 'su' || service === 'su-l';
}

/** Whoever sits in a session of sshd as root, and could not open another one. */
function rootOverSsh({ dropIn }: Plan): readonly string[] {
  if (dropIn === undefined || !ancestors().some(({ name }) => name.startsWith('sshd'))) return [];
  const permit = sshdSettings('root').get('permitrootlogin') ?? 'yes';
  if (permit === 'yes') return [];
  return [
    `you came over ssh as root, and "PermitRootLogin ${permit}" lets root answer no prompt: ` +
      'log in as somebody else and use sudo, or say PermitRootLogin yes',
  ];
}

function query(service: string, environment: SafetyOptions['environment']): ExplainQuery {
  const from = environment.SSH_CONNECTION?.split(' ')[0];
  if (service === 'login') return { service, tty: 'tty1' };
  return service === 'sshd' && from !== undefined ? { service, from } : { service };
}

/** Stacks that prove no first factor to sallyportd offer no enrolment. */
const unverified = new Set(['sallyport-one-prompt', 'sallyport-locker']);

function lockedOut(
  name: string,
  plan: Plan,
  { decision, detail, file, line }: ExplainView,
): readonly string[] {
  const enrols = decision === 'enrol' && unverified.has(plan.stackName);
  if (decision !== 'refused' && !enrols) return [];
  return [
    `${name} could not log in: ${detail} (${file}:${line}); first: sallyport factor add totp ${name}, ` +
      `and see: sallyport explain ${name} --service ${plan.service}`,
  ];
}

/** What comes before the code: the key, or the password. */
function firstFactorFaults(plan: Plan, account: Account): readonly string[] {
  const password = hasPassword(account.name);
  if (plan.stackName !== 'sallyport-sshd-key')
    return password === false
      ? [`${account.name} has no password, which ${plan.stackName} asks for; first: passwd ${account.name}`]
      : [];
  const settings = sshdSettings(account.name);
  return hasKeys(account, settings)
    ? []
    : [
        `${account.name} has no key in authorized_keys, without which nobody gets in then; first: ssh-copy-id`,
      ];
}

/** @returns why there is none; undefined: there is a way in that needs no sallyportd */
function rootsWay({ after, service }: Plan): string | undefined {
  if (sshOpen(after, service)) return undefined;
  if (after.read('login') === undefined) return 'there is no login at a console; open one for it';
  const login = readStack(after, 'login', 'auth');
  const open = !guards(login) || checkStack(login).some(({ code }) => code === 'roots-way-in');
  if (!open)
    return `the line ROOT'S WAY IN is out of ${login.file ?? dirname('/etc/pam.d/login')}; put it back`;
  return hasPassword('root') === true
    ? undefined
    : 'root has no password for the console; first: passwd root';
}

/** sshd lets root in with a key, and asks nothing of sallyportd. */
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
