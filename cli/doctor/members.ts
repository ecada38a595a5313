import type { UserLine } from '../../daemon/api/views.ts';
import { pluralise } from '../../daemon/lib/units.ts';
import { isoLocal } from '../lib/time.ts';
import type { FindingId } from './catalogue.ts';
import { lookAtRealms } from './configured.ts';
import { type Check, type Finding, finding, type Machine, notChecked, orGood } from './contract.ts';
import { type Met, meet } from './member-decisions.ts';
import { memberFindings } from './member-findings.ts';
import { groupNamed, localPeople, mayBeAccount, nameInCommand, shownName } from './names.ts';
import { guarded, programs } from './protected-services.ts';
import { realmsOf } from './realms.ts';

/** Limits for accounts examined, and services for each; a directory of 100 000 is not enumerated. */
const accountsAtMost = 10_000;
const servicesAtMost = 4;
const pageSize = 500;

/**
 * Who could not log in today, and why: sallyportd is asked for the decision of a login for each account.
 * @param most number of accounts examined
 */
export function createMembersCheck(most: number = accountsAtMost): Check {
  return {
    id: 'members',
    what: 'every account that logs in has the factors that its realm requires',
    limit: 60_000,
    run: (machine) => look(machine, most),
  };
}

async function look(machine: Machine, most: number): Promise<readonly Finding[]> {
  const status = await machine.status();
  if (!status.ok) {
    const readable = status.code === 'not-permitted' || status.code === 'token-needed';
    return readable
      ? self(machine)
      : [notChecked('which accounts could log in: only sallyportd can decide that', 'see the daemon')];
  }
  const services = servicesOf(machine);
  const { names, all, broken } = await accountsOf(machine, most, status.value.store.accounts);
  const { met, asked } = await meet(machine, names, services.names);
  const findings = [
    ...broken,
    ...memberFindings(await unexplained(machine, met), services.inForce, services.names),
  ];
  findings.push(...unasked(asked, all, most));
  return orGood(findings, `${pluralise(asked, 'account')} examined for ${services.names.join(', ')}`);
}

/**
 * Accounts that the realms refuse: the current decisions for their logins, in the same text as the whole check.
 * @param realms names
 * @param most number of accounts examined
 */
export async function refusedBy(
  machine: Machine,
  realms: ReadonlySet<string>,
  most: number,
): Promise<readonly Finding[]> {
  const status = await machine.status();
  if (!status.ok || realms.size === 0) return [];
  const services = servicesOf(machine);
  const { names, all } = await accountsOf(machine, most, status.value.store.accounts);
  const { met, asked } = await meet(machine, names, services.names);
  const isRefused = (one: Met) =>
    one.kind === 'decided' && one.explained.decision === 'refused' && realms.has(one.explained.realm);
  const refused = (await unexplained(machine, met)).filter(isRefused);
  return [...memberFindings(refused, services.inForce, services.names), ...unasked(asked, all, most)];
}

/**
 * Leaves out logins that are refused because a group of a realm does not resolve: the check of the realms reports
 * the group once, and the accounts' factors are not the cause.
 */
async function unexplained(machine: Machine, met: readonly Met[]): Promise<readonly Met[]> {
  const isOfGroup = (one: Met) => one.kind === 'decided' && one.explained.why === 'groups-unresolved';
  if (!met.some(isOfGroup)) return met;
  const { findings } = await lookAtRealms(machine, (await realmsOf(machine)) ?? []);
  const isNamed = findings.some((one) => one.severity !== 'ok' && lostGroups.has(one.id));
  return isNamed ? met.filter((one) => !isOfGroup(one)) : met;
}

const lostGroups: ReadonlySet<FindingId> = new Set([
  'realm.group-gone',
  'realm.group-unknown',
  'realm.group-observed',
]);

function unasked(asked: number, all: number, most: number): readonly Finding[] {
  if (asked >= all) return [];
  return [
    notChecked(
      `${all - asked} of ${pluralise(all, 'account')}: the check stops after ${most}, or after its time limit`,
      'to examine one account: sallyport explain USER --service sshd',
    ),
  ];
}

/** The best-known services first; without any, as if sshd were protected. */
function servicesOf(machine: Machine): { readonly names: readonly string[]; readonly inForce: boolean } {
  const found = guarded(machine);
  const names = found.kind === 'seen' ? programs(found.services).map(({ service }) => service) : [];
  const known = ['sshd', 'login', 'sudo', 'su'].filter((name) => names.includes(name));
  const some = [...known, ...names.filter((name) => !known.includes(name))].slice(0, servicesAtMost);
  return some.length === 0 ? { names: ['sshd'], inForce: false } : { names: some, inForce: true };
}

/** Accounts in the store, accounts of /etc/passwd with a shell, and members of realms or of their groups. */
async function accountsOf(machine: Machine, most: number, stored: number) {
  const users: UserLine[] = [];
  let after: string | undefined;
  do {
    const page = await machine.daemon.users(after, pageSize, undefined, true);
    users.push(...page.users);
    after = page.next;
  } while (after !== undefined && users.length < most);
  const local = (await localPeople(machine)).map(({ name }) => name);
  const realms = (await realmsOf(machine)) ?? [];
  const groups = await Promise.all(
    [...new Set(realms.flatMap(({ members }) => members?.groups ?? []))].map((name) =>
      groupNamed(machine, name),
    ),
  );
  const unlisted = groups.flatMap((group) =>
    group.kind === 'found' && group.value.unlisted === true
      ? notChecked(
          `the members of the group ${shownName(group.value.name)}: getent prints none, because a name contains a line break or a colon`,
          'correct the name in the directory',
        )
      : [],
  );
  const ofGroups = groups.flatMap((group) => (group.kind === 'found' ? group.value.members : []));
  const named = realms.flatMap(({ members }) => members?.users ?? []);
  const found = [...new Set([...local, ...named, ...ofGroups, ...users.map(({ account }) => account)])];
  const all = found.filter(mayBeAccount);
  const damaged = users
    .filter((one) => one.damaged !== undefined)
    .map(({ account, damaged: why }) =>
      finding(
        'member.damaged',
        `${shownName(account)}: ${why}`,
        `restore the record of ${shownName(account)} from a backup`,
        {
          accounts: [account],
        },
      ),
    );
  return {
    names: all.slice(0, most),
    all: Math.max(all.length, stored),
    broken: [...damaged, ...held(machine, users), ...gone(users), ...strange(found), ...unlisted],
  };
}

/** Reports names of members that no account can have. */
function strange(found: readonly string[]): readonly Finding[] {
  const names = found.filter((name) => !mayBeAccount(name));
  if (names.length === 0) return [];
  const shown = names.slice(0, 8).map(shownName).join(', ');
  const more = names.length > 8 ? ` and ${names.length - 8} more` : '';
  return [
    finding(
      'member.bad-name',
      `${shown}${more}: named by a realm, one of its groups or the store, but no account can have this name`,
      'correct the name in the directory service or in /etc/group',
      { accounts: names },
    ),
  ];
}

/** Reports stored accounts that the name service does not know. */
function gone(users: readonly UserLine[]): readonly Finding[] {
  const accounts = users.filter(({ presence }) => presence === 'gone').map(({ account }) => account);
  const [first] = accounts;
  if (first === undefined) return [];
  const names = accounts.slice(0, 8).map(shownName).join(', ');
  const what = `${names}${accounts.length > 8 ? ` and ${accounts.length - 8} more` : ''}: the name service does not know the account, but its factors are still stored`;
  const command = `if the account no longer exists: sallyport user forget ${accounts.length === 1 ? nameInCommand(first) : 'USER'}`;
  return [finding('member.gone', what, command, { accounts })];
}

/** Accounts whose app codes are held after a restore: a current code may have been used before the restore. */
function held(machine: Machine, users: readonly UserLine[]): readonly Finding[] {
  const waiting = users.flatMap(({ account, factors }) => {
    const until = factors.flatMap(({ enabled, heldUntil = 0 }) => (enabled ? [heldUntil] : []));
    return Math.max(0, ...until) > machine.now() ? [{ account, until: Math.max(...until) }] : [];
  });
  if (waiting.length === 0) return [];
  const last = isoLocal(Math.max(...waiting.map(({ until }) => until)));
  return [
    finding(
      'member.held',
      `codes of ${pluralise(waiting.length, 'account')} are accepted again from ${last}`,
      'wait until then; to log in earlier, use a recovery key, or: sallyport factor add bypass USER',
      { accounts: waiting.map(({ account }) => account) },
    ),
  ];
}

/** What users may query about themselves. */
async function self(machine: Machine): Promise<readonly Finding[]> {
  const services = servicesOf(machine);
  const { met } = await meet(machine, [machine.user], services.names);
  const explained = await unexplained(machine, met);
  return [...memberFindings(explained, services.inForce, services.names), notChecked('the other accounts')];
}
