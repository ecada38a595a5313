import { readFileSync } from 'node:fs';
import type { AuditOutcome } from '../../daemon/api/views.ts';
import type { ControlClient } from '../../daemon/client/client.ts';
import { CliError } from '../lib/errors.ts';
import { accounts } from './accounts.ts';
import { startOf, type Trial } from './record.ts';
import { knownService } from './services.ts';

/** Ticks of /proc, a constant of Linux. */
const ticks = 100;

export interface Process {
  readonly pid: number;
  readonly name: string;
  readonly uid: number;
  /** Seconds since boot. */
  readonly started: number;
}

/**
 * Whether a login with that outcome passed the whole stack: true unless sallyportd refused. A factor was verified,
 * none was needed (realm, rule, remembered login, exemption, grace period), or the realm is in observe mode.
 */
const cameThrough: Readonly<Record<AuditOutcome, boolean>> = {
  success: true,
  // The result of the password is unknown; that the caller is inside the login shows that it succeeded.
  accepted: true,
  'not-needed': true,
  observed: true,
  refused: false,
  abandoned: false,
  error: false,
  done: false,
};

/**
 * Verifies that a login through the changed service works. Two conditions:
 * - sallyportd has recorded a login of the caller's account since the change. Logins over pam-user.sock count only for
 *   screen lockers: there any user can claim any service;
 * - the caller is inside that login: the login program (sshd, sudo, su, login) above this command started after the
 *   last file was written. An older session verifies nothing.
 * Services whose program keeps running, such as lockers, need only the first.
 * @returns the outcome of that login
 * @throws CliError refused
 */
export async function proveNewLogin(trial: Trial, client: ControlClient): Promise<AuditOutcome> {
  const { change, written } = trial;
  const services = change.services.join(' or ');
  const again = `log in again through ${services}, and run there: sallyport pam confirm`;
  if (written === undefined) throw new CliError('refused', 'the change is still being written; try again');
  const known = change.services.flatMap((service) => knownService(service) ?? []);
  const programs = new Set(known.flatMap((one) => one.programs));
  const waiting = new Set(known.flatMap((one) => (one.waits === true ? one.programs : [])));
  const chain = ancestors();
  const at = chain.findIndex(({ name, started }, index) => {
    const since = waiting.has(name) ? chain[index - 1]?.started : started;
    return programs.has(name) && since !== undefined && since > written;
  });
  if (programs.size > 0 && at < 0)
    throw new CliError(
      'refused',
      `this session is older than the change, so it does not confirm it; ${again} (outside of tmux and screen)`,
    );
  // The login program and its children: sudo asks for the caller's factor, su for the target's.
  const names = new Set(
    chain.slice(0, at < 0 ? undefined : at + 2).flatMap(({ uid }) => accounts(uid)[0]?.name ?? []),
  );
  const outcome = await loginOf(trial, client, names, programs.size === 0);
  if (outcome === undefined)
    throw new CliError(
      'refused',
      `no login of ${[...names].join(' or ')} through ${services} since the change; ${again}`,
    );
  return outcome;
}

const page = 1_000;

async function loginOf(
  { change }: Trial,
  client: ControlClient,
  names: ReadonlySet<string>,
  isLocker: boolean,
): Promise<AuditOutcome | undefined> {
  const since = change.auditSeq ?? -1;
  let from: number | undefined;
  for (;;) {
    const { events } = await client.audit({ limit: page, ...(from === undefined ? {} : { from }) });
    for (const event of events) {
      if (event.seq <= since) return undefined;
      const whose = names.has(event.account) || (event.caller !== undefined && names.has(event.caller));
      const isBelieved = isLocker || event.actor === undefined;
      const fits = event.kind === 'login' && whose && isBelieved && cameThrough[event.outcome];
      if (fits && change.services.includes(event.service ?? '')) return event.outcome;
    }
    const last = events.at(-1);
    if (last === undefined || events.length < page || last.seq === 0) return undefined;
    from = last.seq - 1;
  }
}

/** This process and its ancestors, as far as /proc shows them. */
export function ancestors(): readonly Process[] {
  const found: Process[] = [];
  for (let pid = process.pid; pid > 0; ) {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'latin1');
      const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? '';
      found.push({ pid, name: field('Name'), uid: Number(field('Uid')), started: startOf(pid) / ticks });
      pid = Number(field('PPid'));
    } catch {
      break;
    }
  }
  return found;
}
