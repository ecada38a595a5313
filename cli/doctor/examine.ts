import { withDeadline } from '../../daemon/lib/deadline.ts';
import { commandWith } from '../lib/socket.ts';
import { adminsCheck } from './admins.ts';
import { catalogue, type Severity } from './catalogue.ts';
import { clockCheck } from './clock.ts';
import { configCheck } from './config.ts';
import { type Check, type Finding, finding, type Machine } from './contract.ts';
import { daemonCheck } from './daemon.ts';
import { diskCheck } from './disk.ts';
import { helpersCheck } from './helpers.ts';
import { masterKeyCheck } from './master-key.ts';
import { createMembersCheck } from './members.ts';
import { modesCheck } from './modes.ts';
import { pamCheck } from './pam.ts';
import { portalCheck } from './portal.ts';
import { realmsCheck } from './realms.ts';
import { rootWayCheck } from './root-console-access.ts';
import { secretsCheck } from './secrets.ts';
import { socketsCheck } from './sockets.ts';
import { sshdCheck } from './sshd.ts';
import { storeCheck } from './store.ts';

/** In the order in which they are shown: the daemon first, since much of the rest hangs on it. */
export const checks: readonly Check[] = [
  daemonCheck,
  configCheck,
  storeCheck,
  masterKeyCheck,
  modesCheck,
  socketsCheck,
  helpersCheck,
  clockCheck,
  diskCheck,
  pamCheck,
  sshdCheck,
  rootWayCheck,
  realmsCheck,
  createMembersCheck(),
  secretsCheck,
  adminsCheck,
  portalCheck,
];

/** What one check found. */
export interface Examined {
  readonly check: string;
  readonly findings: readonly Finding[];
}

const usualLimit = 15_000;

/**
 * Runs all of them side by side. What one of them throws, or takes too long for, is a finding as well.
 * @param done called for each that has ended
 */
export async function examine(
  machine: Machine,
  these: readonly Check[] = checks,
  done: (check: Check) => void = () => undefined,
): Promise<readonly Examined[]> {
  return Promise.all(
    these.map(async (check) => {
      const findings = await within(check, machine);
      done(check);
      return { check: check.id, findings: findings.map((one) => withConfig(one, machine.configFile)) };
    }),
  );
}

async function within(check: Check, machine: Machine): Promise<readonly Finding[]> {
  const limit = check.limit ?? usualLimit;
  const late = (): readonly Finding[] => {
    const what = `it was given up after ${limit / 1_000} s: ${check.what}`;
    return [finding('check-too-slow', what, 'find out what hangs, then run it again')];
  };
  try {
    return await withDeadline(check.run(machine), limit, late);
  } catch (error) {
    const what = `${check.what}: ${error instanceof Error ? error.message : String(error)}`;
    return [finding('check-failed', what, 'run it again; if it fails again, report it')];
  }
}

/** Commands are to be typed as they stand. */
function withConfig(one: Finding, file: string): Finding {
  if (one.severity === 'ok') return one;
  return { ...one, fix: commandWith(one.fix, file) };
}

const order: readonly Severity[] = ['ok', 'note', 'warning', 'error'];

/** The worst of them. */
export function worst(examined: readonly Examined[]): Severity {
  const ranks = examined.flatMap(({ findings }) => findings.map(({ severity }) => order.indexOf(severity)));
  return order[Math.max(0, ...ranks)] ?? 'ok';
}

/** Whether all was seen that there is to see. */
export function complete(examined: readonly Examined[]): boolean {
  const blind: ReadonlySet<string> = new Set(
    Object.keys(catalogue).filter((id) => id === 'not-checked' || id.startsWith('check-')),
  );
  return examined.every(({ findings }) =>
    findings.every((one) => one.severity === 'ok' || !blind.has(one.id)),
  );
}
