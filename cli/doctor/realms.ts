import type { Realm } from '../../daemon/control/views.ts';
import { count } from './config.ts';
import { type Check, type Finding, finding, type Machine, notSeen, orGood } from './contract.ts';
import { accountNamed, groupNamed, localAccounts } from './names.ts';

/** Realms whose members are not there. */
export const realmsCheck: Check = {
  id: 'realms',
  what: 'every group and account that a realm names is there',
  async run(machine) {
    const realms = await realmsOf(machine);
    if (realms === undefined)
      return [notSeen('the realms: there is no good configuration', 'see the configuration')];
    const findings = [
      ...observing(realms).map((name) =>
        finding(
          'realm.observing',
          `the realm "${name}" only writes down what it would decide`,
          'sallyport report; when all are ready: take observe out of the realm, then sallyport reload',
        ),
      ),
      ...(await Promise.all(realms.map((realm) => judge(machine, realm)))).flat(),
    ];
    return orGood(findings, `${count(realms.length, 'realm')}: all that they name is there`);
  },
};

/** Those in force, or those of the file where nobody can say which are. */
export async function realmsOf(machine: Machine): Promise<readonly Realm[] | undefined> {
  const status = await machine.status();
  if (status.ok) return machine.daemon.realms();
  const read = await machine.config();
  return read.kind === 'good' ? read.config.realms : undefined;
}

/** Their names. */
export function observing(realms: readonly Realm[]): readonly string[] {
  return realms.flatMap((realm) => ('observe' in realm && realm.observe === true ? realm.name : []));
}

async function judge(machine: Machine, realm: Realm): Promise<readonly Finding[]> {
  const { members } = realm;
  if (members === undefined) return [];
  const place = `the realm "${realm.name}" (line ${realm.line})`;
  const [groups, users] = await Promise.all([
    Promise.all(members.groups.map((name) => groupState(machine, name))),
    Promise.all(members.users.map((name) => accountNamed(machine, name))),
  ]);
  const findings: Finding[] = [];
  members.groups.forEach((name, index) => {
    const found = groupFinding(groups[index] ?? 'unknown', name, place);
    if (found !== undefined) findings.push(found);
  });
  members.users.forEach((name, index) => {
    if (users[index]?.kind === 'gone')
      findings.push(
        finding(
          'realm.user-gone',
          `${place} names the account ${name}, which is not there`,
          `getent passwd ${name}`,
        ),
      );
    if (users[index]?.kind === 'unknown')
      findings.push(notSeen(`whether there is an account ${name}`, `getent passwd ${name}`));
  });
  const byName = members.domains.length === 0 && members.uids.length === 0;
  const none =
    groups.every((one) => one === 'empty' || one === 'gone') && users.every(({ kind }) => kind === 'gone');
  if (byName && none)
    findings.push(
      finding(
        'realm.nobody',
        `${place} has no member`,
        `sallyport realm show ${realm.name}; put people into its groups`,
      ),
    );
  return findings;
}

type GroupState = 'filled' | 'empty' | 'gone' | 'unknown';

async function groupState(machine: Machine, name: string): Promise<GroupState> {
  const group = await groupNamed(machine, name);
  if (group.kind !== 'found') return group.kind;
  if (group.value.members.length > 0) return 'filled';
  const accounts = await localAccounts(machine);
  return accounts.some(({ gid }) => gid === group.value.gid) ? 'filled' : 'empty';
}

function groupFinding(state: GroupState, name: string, place: string): Finding | undefined {
  switch (state) {
    case 'gone':
      return finding(
        'realm.group-gone',
        `${place} names the group ${name}, which is not there`,
        `getent group ${name}; make it (groupadd ${name}) or take it out of the realm`,
      );
    case 'unknown':
      return finding(
        'realm.group-unknown',
        `${place} names the group ${name}, and the directory does not say whether it is there`,
        `getent group ${name}; look after the directory (sssd, winbind)`,
      );
    case 'empty':
      return finding(
        'realm.group-empty',
        `${place}: nobody of this machine is in the group ${name}`,
        `getent group ${name}`,
      );
    case 'filled':
      return undefined;
  }
}
