import type { Command } from 'commander';
import type { LastLogin, LockView, UserLine, UserView } from '../../daemon/api/views.ts';
import type { Context } from '../lib/context.ts';
import { userLineTimes, userTimes } from '../lib/json-times.ts';
import { factorTable, type Output } from '../lib/output.ts';
import { addUserExempt } from './user-exempt.ts';
import { addUserOwner } from './user-owner.ts';

/** Accounts requested from the daemon at a time. */
const pageSize = 500;

export function addUser(program: Command, context: Context): void {
  const user = program.command('user').description('Show, unlock and exempt accounts');
  user
    .command('list')
    .description('List accounts in the store')
    .option('--json', 'Print JSON')
    .action(async (options: { json?: boolean }) => {
      const users = await allUsers(context);
      if (options.json === true) context.output.json({ users }, { users: userLineTimes });
      else
        context.output.table(
          ['USER', 'FACTORS', 'LOCK', 'LAST LOGIN', 'RECORD', 'EXEMPT UNTIL', 'ACCOUNT'],
          users.map((one) => lineOf(one, context.output)),
        );
    });
  user
    .command('show <user>')
    .description('Show the realm, factors, lockouts and last login of an account')
    .option('--json', 'Print JSON')
    .action(async (name: string, options: { json?: boolean }) => {
      const found = await context.client().user(name);
      if (options.json === true) context.output.json(found, userTimes);
      else show(context.output, found);
    });
  user
    .command('unlock <user>')
    .description('Clear lockouts, failure counts and remembered logins')
    .action(async (name: string) => {
      const { account, changed } = await context.client().unlock(name);
      context.output.note(changed ? `${account} is unlocked` : `${account} was not locked`);
    });
  addUserExempt(user, context);
  addUserOwner(user, context);
}

async function allUsers(context: Context): Promise<readonly UserLine[]> {
  const users: UserLine[] = [];
  let after: string | undefined;
  do {
    const page = await context.client().users(after, pageSize, undefined, true);
    users.push(...page.users);
    after = page.next;
  } while (after !== undefined);
  return users;
}

function lineOf(user: UserLine, output: Output): readonly string[] {
  const factors = user.factors.map(({ kind, enabled }) => (enabled ? kind : `${kind} (disabled)`));
  return [
    user.account,
    factors.join(','),
    lockWord(user.lock),
    user.lastLogin === undefined ? '' : output.cellTime(user.lastLogin.at),
    user.damaged === undefined ? 'good' : 'damaged',
    user.exemption === undefined ? '' : output.cellTime(user.exemption.until),
    presenceWords[user.presence ?? 'unknown'],
  ];
}

const presenceWords = {
  here: 'exists',
  gone: 'gone',
  another: 'another uid',
  unknown: 'unknown',
} as const;

/** `user list` does not know the realm, so it cannot say when a lockout of all kinds ends. */
function lockWord(lock: LockView): string {
  if (lock.lockedUntil !== undefined || lock.lockedAt !== undefined) return 'all';
  return lock.codesLockedAt === undefined ? '' : 'codes';
}

function exemptionText(output: Output, { exemption }: UserView): string {
  if (exemption === undefined) return '';
  const { until, services, by, reason } = exemption;
  const where = services === undefined ? '' : `, for ${services.join(', ')}`;
  return `until ${output.time(until)}${where}, by ${by}${reason === undefined ? '' : `: ${reason}`}`;
}

function lastLoginText(output: Output, { at, service, source, firstFactorVerified }: LastLogin): string {
  const from = source === undefined ? '' : ` from ${source}`;
  // A later module of the stack verified the password, and its result is not known here.
  const doubt = firstFactorVerified === false ? ' (second factor accepted; first factor unknown)' : '';
  return `${output.time(at)} ${service}${from}${doubt}`;
}

function show(output: Output, user: UserView): void {
  const { lock, lastLogin, realm } = user;
  const moment = (at: number | undefined) => (at === undefined ? '' : output.time(at));
  output.facts([
    ['user', user.account],
    ['uid', user.uid === undefined ? '' : String(user.uid)],
    ['created for uid', user.recordUid === undefined ? '' : `${user.recordUid}, of another person`],
    ['realm', realm === undefined ? (user.realmProblem ?? '') : `${realm.name} (line ${realm.line})`],
    ['requires', realm === undefined ? '' : [realm.require].flat().join(',')],
    ['failed codes', String(lock.codes)],
    ['failed attempts', String(lock.any)],
    ['codes locked since', moment(lock.codesLockedAt)],
    ['locked until', moment(lock.lockedUntil)],
    ['remembered logins', String(user.remembered)],
    ['grace since', moment(user.graceStarted)],
    ['exempt', exemptionText(output, user)],
    ['last login', lastLogin === undefined ? '' : lastLoginText(output, lastLogin)],
    ['factors', String(user.factors.length)],
  ]);
  if (user.factors.length > 0) {
    if (output.terminal) output.line('');
    factorTable(output, user.factors);
  }
}
