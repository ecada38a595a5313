import type { FindingId } from './catalogue.ts';
import { type Finding, finding } from './contract.ts';
import type { Met } from './member-decisions.ts';
import { nameInCommand, shownName } from './names.ts';

/** Accounts that a finding names; `--json` has all of them. */
const namedAtMost = 8;

/** One finding per reason and realm, with the affected accounts. */
export function memberFindings(
  met: readonly Met[],
  inForce: boolean,
  services: readonly string[],
): Finding[] {
  const groups = new Map<string, Group>();
  for (const one of met) {
    const found = evaluate(one, inForce);
    if (found === undefined) continue;
    const key = `${found.id} ${found.cause ?? ''} ${one.kind === 'decided' ? one.explained.realm : ''}`;
    const group = groups.get(key) ?? { ...found, accounts: new Set(), services: new Set() };
    group.accounts.add(one.account);
    group.services.add(one.service);
    groups.set(key, group);
  }
  return [...groups.values()].map((group) => tell(group, services));
}

interface Evaluated {
  readonly id: FindingId;
  /** The id once a service is protected, which selects the fix. Absent: same as `id`. */
  readonly cause?: FindingId;
  readonly why: string;
}

interface Group extends Evaluated {
  readonly accounts: Set<string>;
  readonly services: Set<string>;
}

function tell({ id, cause = id, why, accounts, services }: Group, all: readonly string[]): Finding {
  const names = [...accounts];
  const more = names.length > namedAtMost ? ` and ${names.length - namedAtMost} more` : '';
  const which = services.size === all.length ? '' : ` for ${[...services].join(', ')}`;
  const what = `${names.slice(0, namedAtMost).map(shownName).join(', ')}${more}${which}: ${why}`;
  const [only] = names;
  const fix = fixes[cause] ?? addOne;
  const fitting =
    only !== undefined && names.length === 1 ? fix.replaceAll('USER', () => nameInCommand(only)) : fix;
  return finding(id, what, fitting, { accounts: names });
}

function evaluate(met: Met, inForce: boolean): Evaluated | undefined {
  if (met.kind === 'unresolved') return { id: 'member.unresolved', why: met.why };
  const { decision, why, realm, line, detail } = met.explained;
  const where = `realm "${realm}" (line ${line})`;
  if (decision === 'not-needed' && why === 'grace')
    return { id: 'member.grace', why: `${where}: in a grace period` };
  if (decision !== 'refused') return undefined;
  // Networks do not settle a changed uid: an administrator must decide, whatever a rule allows.
  if (met.from !== undefined && why !== 'uid-changed')
    return { id: 'member.only-from', why: `${where}: allowed only from ${met.from}` };
  const cause = idOf[why] ?? 'member.no-factor';
  const id = cause === 'member.refused-by-rule' || inForce ? cause : 'member.not-ready';
  return { id, cause, why: `${where}: ${detail}` };
}

const idOf: Readonly<Record<string, FindingId>> = {
  'rule-refuse': 'member.refused-by-rule',
  'uid-changed': 'member.uid-changed',
  'no-factor': 'member.no-factor',
  'used-up': 'member.no-factor',
  'no-accepted-factor': 'member.no-accepted-factor',
  'all-disabled': 'member.all-disabled',
  'key-unavailable': 'member.key-unavailable',
  locked: 'member.locked',
  'codes-locked': 'member.locked',
  'groups-unresolved': 'member.unresolved',
  'grace-expired': 'member.grace-expired',
  'grace-clock': 'member.grace-expired',
};

const fixes: Readonly<Partial<Record<FindingId, string>>> = {
  'member.refused-by-rule': 'to see the rule: sallyport explain USER --service SERVICE',
  'member.no-accepted-factor':
    'see which are accepted: sallyport explain USER --service SERVICE; then add one: sallyport factor add totp USER',
  'member.all-disabled': 'sallyport factor list USER, then: sallyport factor enable USER FACTOR',
  'member.key-unavailable':
    'sallyport factor add recovery USER, or set up the portal (docs/how-to/set-up-portal.md)',
  'member.uid-changed':
    'if it is another person: sallyport user forget USER; if it is the same person with a new uid: sallyport user move USER USER',
  'member.locked': 'sallyport user unlock USER',
  'member.unresolved': 'check the directory service (sssd, winbind): id USER',
  'member.grace': 'sallyport invite USER',
  'member.only-from': 'to allow logins from elsewhere: sallyport invite USER',
};
const addOne = 'sallyport invite USER, or: sallyport factor add totp USER';
