import type { UserView } from '../daemon/api/views.ts';
import { ControlError } from '../daemon/client/client.ts';
import { configCheck } from './doctor/config.ts';
import { type Machine, pathsOf } from './doctor/contract.ts';
import { checks, examine, worst } from './doctor/examine.ts';
import { thisMachine } from './doctor/machine.ts';
import { createMembersCheck } from './doctor/members.ts';
import { guarded, programs } from './doctor/protected-services.ts';
import { observing, realmsOf } from './doctor/realms.ts';
import type { Context } from './lib/context.ts';
import { exitStatus } from './lib/errors.ts';
import type { Output } from './lib/output.ts';
import { commandWith } from './lib/socket.ts';
import { nextStep, type State } from './next-step.ts';
import { trialText } from './pam/trial.ts';

const day = 86_400_000;
/** Limits that keep the overview fast; doctor reads everything. */
const accountsAtMost = 50;
const eventsAtMost = 500;
const usersAtMost = 500;

/** `sallyport` without a command on a terminal: the state of the machine, and the next step. */
export async function overview(context: Context): Promise<void> {
  const { output, world } = context;
  const file = context.configFile();
  const machine = thisMachine(world, file);
  const user = machine.uid === 0 ? (world.environment.SUDO_USER ?? machine.user) : machine.user;
  await showOverview(machine, user, output);
  context.end(exitStatus.done);
}

/** @param user whom the advice is for */
export async function showOverview(
  machine: Machine,
  user: string,
  output: Pick<Output, 'facts' | 'line' | 'prose' | 'command' | 'time'>,
): Promise<void> {
  const own = await ownOf(machine, user);
  const { facts, state } = await look(machine, user, own);
  output.facts([...facts, ...factsOf(user, own, (at) => output.time(at))]);
  const step = nextStep(state);
  output.line('');
  output.prose(step.command === undefined ? step.why : `${step.why}; next:`);
  if (step.command !== undefined) output.command(`  ${commandWith(step.command, machine.configFile)}`);
  output.line('all commands: sallyport --help');
}

type Fact = readonly [string, string];

async function look(
  machine: Machine,
  you: string,
  own: UserView | undefined,
): Promise<{ readonly facts: readonly Fact[]; readonly state: State }> {
  const [status, read, paths] = await Promise.all([machine.status(), machine.config(), pathsOf(machine)]);
  const store = await machine.files.look(paths.store);
  const initialised = store.kind === 'unseen' ? undefined : store.kind !== 'absent' && read.kind !== 'absent';
  const answers = status.ok || status.code !== 'daemon-unreachable';
  const found = guarded(machine);
  const services = found.kind === 'seen' ? programs(found.services).map(({ service }) => service) : undefined;
  const realms = machine.uid === 0 || status.ok ? await realmsOf(machine) : undefined;
  const errors = answers && status.ok ? await errorsOf(machine) : 0;
  const facts: Fact[] = [
    ['sallyport', machine.version],
    ['set up', initialised === undefined ? 'not readable by this user' : initialised ? 'yes' : 'no'],
    [
      'sallyportd',
      status.ok ? `answers, version ${status.value.version}` : answers ? 'answers' : 'does not answer',
    ],
    ['configuration', await configurationOf(machine)],
    ...(realms === undefined ? [] : [['realms', realms.map(({ name }) => name).join(', ')] as const]),
    [
      'protected services',
      services === undefined ? 'not readable by this user' : services.join(', ') || 'none',
    ],
    ...(status.ok ? await accountsAndEvents(machine, status.value.store.accounts) : []),
    ...(errors === 0
      ? []
      : [
          [
            'doctor',
            errors === 1
              ? '1 finding is an error: a lockout, or a login without a second factor'
              : `${errors} findings are errors: lockouts, or logins without a second factor`,
          ] as const,
        ]),
  ];
  const trial = machine.trial();
  if (trial !== undefined) facts.push(['trial', trialText(trial)]);
  const state: State = {
    you,
    root: machine.uid === 0 || machine.rooted,
    initialised,
    answers,
    factors: own?.factors,
    locked: own === undefined ? undefined : isLocked(own),
    guarded: services,
    openTry: trial?.state === 'on-trial' ? trial.services.join(', ') : undefined,
    observing: observing(realms ?? []),
    errors,
  };
  return { facts, state };
}

/** The state of the file, and whether it is active: between an edit and a reload an older version is. */
async function configurationOf(machine: Machine): Promise<string> {
  const found = (await configCheck.run(machine)).find((one) => one.severity !== 'ok');
  if (found === undefined) return 'valid and active';
  if (found.id === 'not-checked') return found.summary;
  const [first = ''] = found.summary.split('\n');
  return `${first} (${found.fix})`;
}

/** @returns undefined if the daemon is unreachable or knows no such account */
async function ownOf(machine: Machine, user: string): Promise<UserView | undefined> {
  try {
    return await machine.daemon.user(user);
  } catch (error) {
    if (error instanceof ControlError) return undefined;
    throw error;
  }
}

function isLocked({ lock }: UserView): boolean {
  return lock.codesLockedAt !== undefined || lock.lockedUntil !== undefined;
}

function factsOf(user: string, own: UserView | undefined, time: (at: number) => string): readonly Fact[] {
  if (own === undefined) return [];
  const { factors, lastLogin } = own;
  const said = factors.map(({ kind, enabled }) => (enabled ? kind : `${kind} (disabled)`)).join(', ');
  return [
    [`factors of ${user}`, said || 'none'],
    ...(lastLogin === undefined
      ? []
      : [['last login', `${time(lastLogin.at)} ${lastLogin.service}`] as const]),
    ...(isLocked(own) ? [['lock', 'locked'] as const] : []),
  ];
}

async function errorsOf(machine: Machine): Promise<number> {
  const quick = checks.map((check) =>
    check.id === 'members' ? createMembersCheck(accountsAtMost) : { ...check, limit: 5_000 },
  );
  const examined = await examine(machine, quick);
  if (worst(examined) !== 'error') return 0;
  return examined.flatMap(({ findings }) => findings.filter(({ severity }) => severity === 'error')).length;
}

async function accountsAndEvents(machine: Machine, accounts: number): Promise<readonly Fact[]> {
  const since = machine.now() - day;
  const [{ events }, { users, next }] = await Promise.all([
    machine.daemon.audit({ since, limit: eventsAtMost }),
    machine.daemon.users(undefined, usersAtMost),
  ]);
  const least = next === undefined ? '' : ' or more';
  const able = users.filter(({ factors }) => factors.some(({ enabled }) => enabled)).length;
  const codes = users.filter(({ lock }) => lock.codesLockedAt !== undefined).length;
  const refused = events.filter(({ kind, outcome }) => kind === 'login' && outcome === 'refused');
  const locked = refused.filter(({ reason }) => reason === 'locked' || reason === 'codes-locked').length;
  const more = events.length === eventsAtMost ? ' or more' : '';
  return [
    ['accounts', `${accounts}, with a factor: ${able}${least}`],
    ...(codes === 0 ? [] : [['codes locked', `${codes}${least}`] as const]),
    ['refused in a day', `${refused.length}${more}${locked === 0 ? '' : `, ${locked} of them by a lockout`}`],
  ];
}
