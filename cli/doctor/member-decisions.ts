import type { ExplainView } from '../../daemon/api/views.ts';
import { outside } from '../lib/sshd-settings.ts';
import type { Machine } from './contract.ts';
import { realmsOf } from './realms.ts';
import { resolveSshd } from './sshd-config.ts';

/** Concurrent requests: sallyportd accepts 32 connections per uid. */
const atATime = 8;
/** Milliseconds after which the check stops where it is. 10 000 accounts need half of it. */
const budget = 45_000;

/** The decision that a login of an account to a service would get now. */
export type Met = { readonly account: string; readonly service: string } & (
  | {
      readonly kind: 'decided';
      readonly explained: ExplainView;
      /** A network from which the login would be allowed all the same. */
      readonly from?: string;
    }
  /** The directory service does not resolve the account. */
  | { readonly kind: 'unresolved'; readonly why: string }
);

/** A network that a rule exempts from the second factor. */
interface Exempt {
  readonly realm: string;
  readonly services: readonly string[] | undefined;
  readonly address: string;
  readonly text: string;
}

/**
 * The same decision as for a login, for each account and service; accounts that no longer exist are left out.
 * @returns `asked`: number of accounts examined within the time limit
 */
export async function meet(
  machine: Machine,
  names: readonly string[],
  services: readonly string[],
): Promise<{ readonly met: readonly Met[]; readonly asked: number }> {
  const end = machine.now() + budget;
  // If sshd itself refuses root, no second factor is missing.
  const sshd = await resolveSshd(machine, { user: 'root', address: outside });
  const rootOverSsh = sshd.kind !== 'settings' || sshd.settings.get('permitrootlogin') !== 'no';
  const pairs = names
    .flatMap((account) => services.map((service) => ({ account, service })))
    .filter(({ account, service }) => account !== 'root' || service !== 'sshd' || rootOverSsh);
  const networks = await exempt(machine);
  const met: Met[] = [];
  let next = 0;
  const worker = async () => {
    for (let pair = pairs[next]; pair !== undefined && machine.now() < end; pair = pairs[next]) {
      next += 1;
      const one = await ask(machine, pair.account, pair.service);
      if (one !== undefined) met.push(await elsewhere(machine, one, networks));
    }
  };
  await Promise.all(Array.from({ length: atATime }, worker));
  const waiting = new Set(pairs.slice(next).map(({ account }) => account));
  return { met, asked: names.length - waiting.size };
}

async function exempt(machine: Machine): Promise<readonly Exempt[]> {
  const realms = (await realmsOf(machine)) ?? [];
  return realms.flatMap(({ name: realm, rules }) =>
    rules.flatMap(({ action, from, services }) =>
      (action.kind === 'skip' ? (from ?? []) : []).flatMap((source) =>
        source.kind === 'network'
          ? [{ realm, services, address: source.address, text: `${source.address}/${source.prefix}` }]
          : [],
      ),
    ),
  );
}

/** Automation that comes from one exempt network can log in from there, so it is not locked out. */
async function elsewhere(machine: Machine, one: Met, networks: readonly Exempt[]): Promise<Met> {
  if (one.kind !== 'decided' || one.explained.decision !== 'refused' || one.service !== 'sshd') return one;
  const open = networks.find(
    ({ realm, services }) => realm === one.explained.realm && (services?.includes(one.service) ?? true),
  );
  if (open === undefined) return one;
  const there = await ask(machine, one.account, one.service, open.address);
  const letIn = there?.kind === 'decided' && there.explained.decision !== 'refused';
  return letIn ? { ...one, from: open.text } : one;
}

/** Typical origin of each service: login from a console, sshd from an external address, the others without one. */
async function ask(
  machine: Machine,
  account: string,
  service: string,
  from?: string,
): Promise<Met | undefined> {
  const place = from !== undefined ? { from } : usualPlace(service);
  try {
    const explained = await machine.daemon.explain(account, { service, ...place });
    return { account, service, kind: 'decided', explained };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'accounts-unavailable')
      return { account, service, kind: 'unresolved', why: 'the directory service does not respond' };
    // Removed from the directory, or named only by a realm: another check reports it. So is a damaged record.
    if (code === 'no-such-account' || code === 'record-damaged') return undefined;
    throw error;
  }
}

function usualPlace(service: string): { readonly tty?: string; readonly from?: string } {
  if (service === 'login') return { tty: 'tty1' };
  return service === 'sshd' ? { from: outside } : {};
}
