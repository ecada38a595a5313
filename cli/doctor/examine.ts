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

/** In display order: the daemon first, since many other checks depend on it. */
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

/** The findings of one check. */
export interface Examined {
  readonly check: string;
  readonly findings: readonly Finding[];
}

const usualLimit = 15_000;

/**
 * Runs all checks in parallel. A check that throws or exceeds its limit yields a finding too.
 * @param done called for each check that has ended
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
    const what = `stopped after ${limit / 1_000} s: ${check.what}`;
    return [finding('check-too-slow', what, 'find out which service hangs, then run sallyport doctor again')];
  };
  try {
    return await withDeadline(check.run(machine), limit, late);
  } catch (error) {
    const what = `${check.what}: ${error instanceof Error ? error.message : String(error)}`;
    return [finding('check-failed', what, 'run sallyport doctor again; if the check fails again, report it')];
  }
}

/** Commands must be complete, so that they can be typed as shown. */
function withConfig(one: Finding, file: string): Finding {
  if (one.severity === 'ok') return one;
  return { ...one, fix: commandWith(one.fix, file) };
}

const order: readonly Severity[] = ['ok', 'note', 'warning', 'error'];

/** The highest severity among the findings. */
export function worst(examined: readonly Examined[]): Severity {
  const ranks = examined.flatMap(({ findings }) => findings.map(({ severity }) => order.indexOf(severity)));
  return order[Math.max(0, ...ranks)] ?? 'ok';
}

/** Whether every check could examine everything. */
export function complete(examined: readonly Examined[]): boolean {
  const blind: ReadonlySet<string> = new Set(
    Object.keys(catalogue).filter((id) => id === 'not-checked' || id.startsWith('check-')),
  );
  return examined.every(({ findings }) =>
    findings.every((one) => one.severity === 'ok' || !blind.has(one.id)),
  );
}
