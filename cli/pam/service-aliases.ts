import type { PamFiles } from './files.ts';
import type { Plan } from './plan.ts';
import { changedServices } from './plan-disable.ts';
import type { Recorded } from './record.ts';
import { otherNamesOf } from './services.ts';
import { planSwitch } from './switch.ts';

/*
 * Invariants:
 * - a program is protected under all of its service names or none: if "sudo" asks, so does "sudo -i";
 * - disable reverts all services that enable changed.
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

/** The service, and its aliases that include a ready stack. */
export function namesToDisable(files: PamFiles, service: string): readonly string[] {
  const names = otherNamesOf(service);
  return [service, ...changedServices(files).filter((name) => names.includes(name))];
}
