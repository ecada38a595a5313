import { CliError } from '../lib/errors.ts';
import type { PamFiles } from './files.ts';
import { overlaid, type Plan, planEnable } from './plan.ts';
import { planDisable, readyInclude } from './plan-disable.ts';
import { readStack } from './read.ts';
import type { FileChange, Recorded } from './record.ts';
import { dropInDirectory } from './sshd.ts';

/**
 * `planEnable`, also from one ready stack to another.
 *
 * Invariant: the switch is one change with one rollback; the stack of one and the drop-in of the other never coexist.
 *
 * @throws CliError refused
 */
export function planSwitch(
  files: PamFiles,
  service: string,
  stackName: string,
  past: readonly Recorded[],
): Plan {
  const held = readyInclude(files, service);
  if (held === undefined || held.target === stackName) return planEnable(files, service, stackName);
  const off = undone(files, service, past);
  const on = planEnable(overlaid(files, off), service, stackName);
  const row = files.read(service)?.text.split('\n')[held.line - 1] ?? '';
  const changes = joined(off, on.files, row);
  const after = overlaid(files, changes);
  return {
    ...on,
    files: changes,
    after,
    stack: readStack(after, service, 'auth'),
    lost: [],
    from: held.target,
  };
}

function undone(files: PamFiles, service: string, past: readonly Recorded[]): readonly FileChange[] {
  try {
    return planDisable(files, service, past);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    throw new CliError(
      'refused',
      `${service} is already protected in a way that this command cannot replace: ${error.message}`,
    );
  }
}

/**
 * Joins two changes. Drop-ins of sshd come first, then the included stack, the service itself, and last the files it
 * no longer needs.
 * @param row current row of the service's file, which a rollback restores
 */
function joined(off: readonly FileChange[], on: readonly FileChange[], row: string): readonly FileChange[] {
  const before = new Map(off.map((change) => [change.path, change.before]));
  const written = on.map((change) => ({
    ...change,
    before: before.has(change.path) ? before.get(change.path) : change.before,
    ...(change.swap === undefined ? {} : { swap: { ...change.swap, original: row } }),
  }));
  const gone = off.filter(({ path }) => !on.some((change) => change.path === path));
  const isDropIn = ({ path }: FileChange) => path.startsWith(dropInDirectory);
  return [
    ...written.filter(isDropIn),
    ...gone.filter(isDropIn),
    ...written.filter((change) => !isDropIn(change)),
    ...gone.filter((change) => !isDropIn(change)),
  ].filter((change) => change.before !== change.after);
}
