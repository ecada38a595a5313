import type { ExplainView, UserLine } from '../../daemon/control/views.ts';
import type { FindingId } from './catalogue.ts';
import { count } from './config.ts';
import { type Check, type Finding, finding, type Machine, notSeen, orGood } from './contract.ts';
import { guarded, programs } from './guarded.ts';
import { groupNamed, localAccounts, logsIn } from './names.ts';
import { realmsOf } from './realms.ts';
import { outside, resolveSshd } from './sshd-config.ts';

/** Accounts that are looked at, and services for each; a directory of 100 000 is not walked. */
const accountsAtMost = 2_000;
const servicesAtMost = 4;
/** Questions under way: sallyportd takes 32 connections of one uid. */
const atATime = 8;
const pageSize = 500;
const namedAtMost = 8;

/** Who could not log in today, and why: the decision that a login would meet, asked of sallyportd for each account. */
export const membersCheck: Check = {
  id: 'members',
  what: 'everybody who logs in has what their realm asks for',
  limit: 60_000,
  async run(machine) {
    const status = await machine.status();
    if (!status.ok) {
      const readable = status.code === 'not-permitted' || status.code === 'token-needed';
      return readable
        ? self(machine)
        : [notSeen('who could log in: only sallyportd decides that', 'see the daemon')];
    }
    const services = servicesOf(machine);
    const { names, all, damaged } = await accountsOf(machine);
    const met = await meet(machine, names, services.names);
    const findings = [...damaged, ...told(met, services.inForce, services.names)];
    if (names.length < all)
      findings.push(
        notSeen(
          `${all - names.length} of ${count(all, 'account')}: it stops after ${accountsAtMost}`,
          'ask for one: sallyport explain USER --service sshd',
        ),
      );
    return orGood(findings, `${count(names.length, 'account')} looked at, for ${services.names.join(', ')}`);
  },
};

/** The best known first; without any, what sshd would be. */
function servicesOf(machine: Machine): { readonly names: readonly string[]; readonly inForce: boolean } {
  const found = guarded(machine);
  const names = found.kind === 'seen' ? programs(found.services).map(({ service }) => service) : [];
  const known = ['sshd', 'login', 'sudo', 'su'].filter((name) => names.includes(name));
  const some = [...known, ...names.filter((name) => !known.includes(name))].slice(0, servicesAtMost);
  return some.length === 0 ? { names: ['sshd'], inForce: false } : { names: some, inForce: true };
}

/** Those of the store, those of /etc/passwd with a shell, and those whom realms name or whose groups they name. */
async function accountsOf(machine: Machine) {
  const users: UserLine[] = [];
  let after: string | undefined;
  do {
    const page = await machine.daemon.users(after, pageSize);
    users.push(...page.users);
    after = page.next;
  } while (after !== undefined);
  const local = (await localAccounts(machine)).filter(logsIn).map(({ name }) => name);
  const realms = (await realmsOf(machine)) ?? [];
  const groups = await Promise.all(
    [...new Set(realms.flatMap(({ members }) => members?.groups ?? []))].map((name) =>
      groupNamed(machine, name),
    ),
  );
  const ofGroups = groups.flatMap((group) => (group.kind === 'found' ? group.value.members : []));
  const named = realms.flatMap(({ members }) => members?.users ?? []);
  const all = [...new Set([...local, ...named, ...ofGroups, ...users.map(({ account }) => account)])];
  const damaged = users
    .filter((one) => one.damaged !== undefined)
    .map(({ account, damaged: why }) =>
      finding('member.damaged', `${account}: ${why}`, `take the record of ${account} from a backup`, {
        accounts: [account],
      }),
    );
  return { names: all.slice(0, accountsAtMost), all: all.length, damaged };
}

interface Met {
  readonly account: string;
  readonly service: string;
  readonly explained: ExplainView;
  /** Where they would be let in all the same. */
  readonly from?: string;
}

async function meet(
  machine: Machine,
  names: readonly string[],
  services: readonly string[],
): Promise<readonly Met[]> {
  const sshd = await resolveSshd(machine, { user: 'root', address: outside });
  const rootOverSsh = sshd.kind !== 'settings' || sshd.settings.get('permitrootlogin') !== 'no';
  const pairs = names
    .flatMap((account) => services.map((service) => ({ account, service })))
    .filter(({ account, service }) => account !== 'root' || service !== 'sshd' || rootOverSsh);
  const networks = (await realmsOf(machine))?.flatMap(({ name, rules }) =>
    rules.flatMap(({ action, from, services: only }) =>
      action.kind === 'skip'
        ? (from ?? []).flatMap((source) =>
            source.kind === 'network'
              ? [{ realm: name, only, address: source.address, text: `${source.address}/${source.prefix}` }]
              : [],
          )
        : [],
    ),
  );
  const met: Met[] = [];
  let next = 0;
  const worker = async () => {
    for (let pair = pairs[next++]; pair !== undefined; pair = pairs[next++]) {
      const explained = await ask(machine, pair.account, pair.service);
      if (explained === undefined) continue;
      const { decision, realm } = explained;
      const open = networks?.find((one) => one.realm === realm && (one.only?.includes(pair.service) ?? true));
      const better =
        decision === 'refused' && open !== undefined && pair.service === 'sshd'
          ? await ask(machine, pair.account, pair.service, open.address)
          : undefined;
      const letIn = better !== undefined && better.decision !== 'refused';
      met.push({ ...pair, explained, ...(letIn && open !== undefined ? { from: open.text } : {}) });
    }
  };
  await Promise.all(Array.from({ length: atATime }, worker));
  return met;
}

/** As these programs come: login on a console, the others without an address that a rule could know. */
async function ask(
  machine: Machine,
  account: string,
  service: string,
  from?: string,
): Promise<ExplainView | undefined> {
  const place = from !== undefined ? { from } : service === 'login' ? { tty: 'tty1' } : {};
  try {
    return await machine.daemon.explain(account, { service, ...place });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    // Gone from the directory, or named by a realm alone: another check says so. A damaged record was told.
    if (code === 'no-such-account' || code === 'record-damaged') return undefined;
    throw error;
  }
}

const idOf: Readonly<Record<string, FindingId>> = {
  'rule-refuse': 'member.by-rule',
  'no-factor': 'member.no-factor',
  'none-fits': 'member.none-fits',
  'all-disabled': 'member.all-disabled',
  'not-from-here': 'member.not-from-here',
  locked: 'member.locked',
  'codes-locked': 'member.locked',
  'groups-unresolved': 'member.unresolved',
  'grace-over': 'member.grace-over',
  'grace-clock': 'member.grace-over',
};

const mends: Readonly<Partial<Record<FindingId, string>>> = {
  'member.by-rule': 'sallyport explain USER --service SERVICE names the rule',
  'member.none-fits':
    'sallyport explain USER --service SERVICE says which would fit; add one: sallyport factor add totp USER',
  'member.all-disabled': 'sallyport factor list USER, then: sallyport factor enable USER FACTOR',
  'member.not-from-here': 'sallyport factor add recovery USER, or set the portal up (docs/portal.md)',
  'member.locked': 'sallyport user unlock USER',
  'member.unresolved': 'look after the directory (sssd, winbind): id USER',
  'member.grace': 'sallyport invite USER',
  'member.only-from': 'sallyport invite USER, where they should get in from elsewhere',
};
const addOne = 'sallyport invite USER, or: sallyport factor add totp USER';

function told(met: readonly Met[], inForce: boolean, services: readonly string[]): Finding[] {
  const groups = new Map<
    string,
    { id: FindingId; why: string; accounts: Set<string>; services: Set<string> }
  >();
  for (const one of met) {
    const found = idFor(one, inForce);
    if (found === undefined) continue;
    const key = `${found.id} ${found.why}`;
    const group = groups.get(key) ?? { ...found, accounts: new Set(), services: new Set() };
    group.accounts.add(one.account);
    group.services.add(one.service);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ id, why, accounts, services: where }) => {
    const names = [...accounts];
    const more = names.length > namedAtMost ? ` and ${names.length - namedAtMost} more` : '';
    const which = where.size === services.length ? '' : ` for ${[...where].join(', ')}`;
    const what = `${names.slice(0, namedAtMost).join(', ')}${more}${which}: ${why}`;
    return finding(id, what, mends[id] ?? addOne, { accounts: names });
  });
}

function idFor(
  { explained, from }: Met,
  inForce: boolean,
): { readonly id: FindingId; readonly why: string } | undefined {
  const { decision, why, realm, sentence } = explained;
  if (decision === 'not-needed' && why === 'grace')
    return { id: 'member.grace', why: `a grace period of the realm "${realm}" runs` };
  if (decision !== 'refused') return undefined;
  if (from !== undefined)
    return { id: 'member.only-from', why: `let in from ${from} alone, by a rule of the realm "${realm}"` };
  const id = idOf[why] ?? 'member.no-factor';
  const said = `realm "${realm}", ${sentence}`;
  return id === 'member.by-rule' || inForce ? { id, why: said } : { id: 'member.not-ready', why: said };
}

/** What people may ask about themselves. */
async function self(machine: Machine): Promise<readonly Finding[]> {
  const services = servicesOf(machine);
  const met = await meet(machine, [machine.user], services.names);
  return [...told(met, services.inForce, services.names), notSeen('the other accounts')];
}
