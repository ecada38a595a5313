import type { PamFiles } from './files.ts';
import type { Plan } from './plan.ts';
import { changedServices } from './plan-disable.ts';
import type { Recorded } from './record.ts';
import { otherNamesOf } from './services.ts';
import { planSwitch } from './switch.ts';

/*
 * What MUST hold:
 * - a program is not guarded by one of its names and open by another: where "sudo" asks, "sudo -i" does;
 * - what was enabled by one word is disabled by it.
 */

/** `planSwitch`, for the other names of the program too, unless they are protected already. */
export function planProgram(
  files: PamFiles,
  service: string,
  stackName: string,
  past: readonly Recorded[] = [],
): Plan {
  let plan = planSwitch(files, service, stackName, past);
  for (const name of otherNamesOf(service)) {
    if (plan.after.read(name) === undefined) continue;
    const more = planSwitch(plan.after, name, stackName, past);
    if (more.files.length === 0) continue;
    plan = {
      ...plan,
      services: [...plan.services, ...more.services],
      files: [...plan.files, ...more.files],
      after: more.after,
    };
  }
  return plan;
}

/** The service, and the other names of its program that have a line of ours. */
export function namesToDisable(files: PamFiles, service: string): readonly string[] {
  const names = otherNamesOf(service);
  return [service, ...changedServices(files).filter((name) => names.includes(name))];
}
