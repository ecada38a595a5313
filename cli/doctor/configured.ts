import { isIP } from 'node:net';
import type { Realm } from '../../daemon/api/views.ts';
import type { Config } from '../../daemon/client/config.ts';
import { nearest } from '../../daemon/lib/nearest.ts';
import { type Finding, finding, type Machine, notChecked } from './contract.ts';
import { accountNamed, groupNamed, localAccounts, localGroups } from './names.ts';

/**
 * Names in a configuration that do not exist on this machine: `realm check`, `reload`, `explain` and `doctor` report
 * them with the same text, impact and fix.
 *
 * Invariant: a name that cannot be looked up is reported as unknown, never as missing.
 */

/** A group of a realm that NSS does not resolve: every login that comes to this realm is refused. */
export interface LostGroup {
  readonly realm: string;
  readonly group: string;
}

export interface RealmsLookedAt {
  readonly findings: readonly Finding[];
  /** Those of realms that do not only observe. */
  readonly refusing: readonly LostGroup[];
}

/** The realms, evaluated in this order. @param machine whose configuration file contains them */
export async function lookAtRealms(machine: Machine, realms: readonly Realm[]): Promise<RealmsLookedAt> {
  const each = await Promise.all(
    realms.map(async (realm, index) => {
      const isObserved = realms.slice(index).every(({ observe }) => observe === true);
      return lookAtRealm(machine, realm, isObserved);
    }),
  );
  return {
    findings: each.flatMap(({ findings }) => findings),
    refusing: each.flatMap(({ refusing }) => refusing),
  };
}

type GroupState = 'filled' | 'empty' | 'gone' | 'unknown';

/** @param isObserved this realm and all after it only observe */
export async function lookAtRealm(
  machine: Machine,
  realm: Realm,
  isObserved: boolean,
): Promise<RealmsLookedAt> {
  const place = `${machine.configFile}:${realm.line}: the realm "${realm.name}"`;
  const { groups = [], users = [], domains = [], uids = [] } = realm.members ?? {};
  const [states, accounts, rules] = await Promise.all([
    Promise.all(groups.map((name) => groupState(machine, name))),
    Promise.all(users.map((name) => accountNamed(machine, name))),
    lookAtRules(machine, realm),
  ]);
  const lost = groups.filter((_, index) => states[index] === 'gone' || states[index] === 'unknown');
  const ofGroups = await Promise.all(
    groups.map((name, index) => groupFinding(machine, states[index] ?? 'unknown', name, place, isObserved)),
  );
  const ofUsers = await Promise.all(
    users.map((name, index) => userFinding(machine, accounts[index]?.kind ?? 'unknown', name, place)),
  );
  // If a group does not resolve, the realm still decides: it refuses.
  const isEmpty = states.every((one) => one === 'empty') && accounts.every(({ kind }) => kind === 'gone');
  const isByName = realm.members !== undefined && domains.length === 0 && uids.length === 0;
  const noMember = finding(
    'realm.no-account',
    `${place} has no member`,
    `sallyport realm show ${realm.name}; add accounts to its groups`,
  );
  return {
    findings: [...ofGroups, ...ofUsers, ...(isByName && isEmpty ? [noMember] : []), ...rules].flatMap(
      (one) => one ?? [],
    ),
    refusing: isObserved ? [] : lost.map((group) => ({ realm: realm.name, group })),
  };
}

async function groupState(machine: Machine, name: string): Promise<GroupState> {
  const group = await groupNamed(machine, name);
  if (group.kind !== 'found') return group.kind;
  // A group whose members cannot be listed is not reported as empty.
  if (group.value.unlisted === true || group.value.members.length > 0) return 'filled';
  const accounts = await localAccounts(machine);
  return accounts.some(({ gid }) => gid === group.value.gid) ? 'filled' : 'empty';
}

async function groupFinding(
  machine: Machine,
  state: GroupState,
  name: string,
  place: string,
  isObserved: boolean,
): Promise<Finding | undefined> {
  switch (state) {
    case 'gone': {
      const meant = didYouMean(name, await localGroups(machine));
      const what = `${place} names the group ${name}, which does not exist${meant}`;
      const remedy = `correct the name, or create the group: groupadd ${name}; then: sallyport reload`;
      return finding(isObserved ? 'realm.group-observed' : 'realm.group-gone', what, remedy);
    }
    case 'unknown':
      return finding(
        isObserved ? 'realm.group-observed' : 'realm.group-unknown',
        `${place} names the group ${name}; it is not known whether it exists, because a source of NSS does not answer`,
        `check the directory service (sssd, winbind): getent group ${name}`,
      );
    case 'empty':
      return finding(
        'realm.group-empty',
        `${place}: no account of this machine is in the group ${name}`,
        `getent group ${name}`,
      );
    case 'filled':
      return undefined;
  }
}

async function userFinding(
  machine: Machine,
  kind: 'found' | 'gone' | 'unknown',
  name: string,
  place: string,
): Promise<Finding | undefined> {
  if (kind === 'found') return undefined;
  if (kind === 'unknown')
    return notChecked(
      `${place} names the account ${name}; it is not known whether it exists`,
      `check the directory service (sssd, winbind): getent passwd ${name}`,
    );
  const meant = didYouMean(
    name,
    (await localAccounts(machine)).map((account) => account.name),
  );
  return finding(
    'realm.user-gone',
    `${place} names the account ${name}, which does not exist${meant}`,
    `correct the name, or remove it from the realm: getent passwd ${name}`,
  );
}

/** Not PAM services: the policy's names for sign-ins to the portal and for the command. */
const ownServices: ReadonlySet<string> = new Set(['sallyport', 'sallyport-portal']);

async function lookAtRules(machine: Machine, realm: Realm): Promise<readonly Finding[]> {
  const named = realm.rules.flatMap(({ line, services }) =>
    (services ?? []).filter((name) => !ownServices.has(name)).map((name) => ({ line, name })),
  );
  if (named.length === 0) return [];
  const known = servicesOf(machine);
  if (known === undefined) return [notChecked('which services PAM knows: /etc/pam.d cannot be read')];
  return named
    .filter(({ name }) => !known.includes(name))
    .map(({ line, name }) =>
      finding(
        'realm.service-unknown',
        `${machine.configFile}:${line}: a rule names the service ${name}, which has no file in /etc/pam.d${didYouMean(name, known)}`,
        'correct the name; to list the services: ls /etc/pam.d',
      ),
    );
}

/** Services that may show secrets. */
export function lookAtSecrets(
  machine: Machine,
  { secretsIn }: Pick<Config, 'secretsIn'>,
): readonly Finding[] {
  const known = secretsIn.length === 0 ? [] : servicesOf(machine);
  if (known === undefined) return [notChecked('which services PAM knows: /etc/pam.d cannot be read')];
  return secretsIn
    .filter((name) => !known.includes(name))
    .map((name) =>
      finding(
        'realm.service-unknown',
        `secrets_in names the service ${name}, which has no file in /etc/pam.d${didYouMean(name, known)}`,
        'correct the name; to list the services: ls /etc/pam.d',
      ),
    );
}

/** @returns undefined if unknown */
function servicesOf({ pam }: Machine): readonly string[] | undefined {
  try {
    const names = pam.names();
    return names.length === 0 ? undefined : names;
  } catch {
    return undefined;
  }
}

function didYouMean(name: string, known: readonly string[]): string {
  const near = nearest(
    name,
    known.filter((one) => one !== name),
  );
  return near === undefined ? '' : `; did you mean ${near}?`;
}

/** Everything a configuration names outside its realms: the account, addresses and hosts of the portal. */
export async function lookAtPortal(machine: Machine, { portal }: Config): Promise<readonly Finding[]> {
  if (portal === undefined) return [];
  const findings: Finding[] = [];
  // Below `init --root` the portal runs as the user who started it.
  const account = machine.rooted ? undefined : await accountNamed(machine, portal.user);
  if (account?.kind === 'gone')
    findings.push(
      finding(
        'portal.user-gone',
        `[portal] names the account ${portal.user}, which does not exist`,
        'run systemd-sysusers, or name another account in [portal] user',
      ),
    );
  if (account?.kind === 'unknown')
    findings.push(
      notChecked(`whether the account ${portal.user} of [portal] exists`, `getent passwd ${portal.user}`),
    );
  const { address } = portal.listen;
  if (!isAlwaysThere(address) && !machine.addresses().map(canonical).includes(canonical(address)))
    findings.push(
      finding(
        'portal.listen-elsewhere',
        `[portal] listens on ${address}, which no network interface of this machine has`,
        'use an address that "ip address" shows, or "0.0.0.0" or "::" for all',
      ),
    );
  return findings;
}

/** Wildcard and loopback addresses do not have to belong to an interface. */
function isAlwaysThere(address: string): boolean {
  return address === '0.0.0.0' || canonical(address) === '::' || address.startsWith('127.');
}

function canonical(address: string): string {
  return isIP(address) === 6 && !address.includes('%')
    ? new URL(`http://[${address}]`).hostname.slice(1, -1)
    : address;
}

/** Hosts in URLs of a configuration, resolved as this machine resolves them. */
export async function lookAtHosts(machine: Machine, { portal, realms }: Config): Promise<readonly Finding[]> {
  const servers = realms.flatMap(({ name, yubikey }) =>
    (yubikey.servers?.urls ?? []).map((url) => ({
      url,
      where: `a validation server of the realm "${name}"`,
    })),
  );
  const origins = (portal?.origins ?? []).map((url) => ({ url, where: 'an origin of [portal]' }));
  const hosts = new Map(
    [...servers, ...origins]
      .map(({ url, where }) => [new URL(url).hostname.replace(/^\[|\]$/g, ''), where] as const)
      .filter(([host]) => isIP(host) === 0 && host !== 'localhost'),
  );
  const looked = await Promise.all(
    [...hosts].map(async ([host, where]) => {
      const { status } = await machine.run(['getent', '--', 'ahosts', host]);
      if (status === 0) return [];
      return [
        finding(
          'host.unresolved',
          `the host ${host}, ${where}, cannot be resolved on this machine now`,
          `correct the name, or check DNS: getent ahosts ${host}`,
        ),
      ];
    }),
  );
  return looked.flat();
}

/** Settings under former names. */
export function lookAtSettings({ deprecated = [] }: Pick<Config, 'deprecated'>): readonly Finding[] {
  return deprecated.map((message) =>
    finding('config.deprecated', message, 'rename the setting, then: sallyport reload'),
  );
}

/** Examines the whole configuration. */
export async function lookAtConfig(machine: Machine, config: Config): Promise<RealmsLookedAt> {
  const [realms, portal, hosts] = await Promise.all([
    lookAtRealms(machine, config.realms),
    lookAtPortal(machine, config),
    lookAtHosts(machine, config),
  ]);
  const file = [...lookAtSettings(config), ...realms.findings, ...lookAtSecrets(machine, config)];
  return { ...realms, findings: [...file, ...portal, ...hosts] };
}
