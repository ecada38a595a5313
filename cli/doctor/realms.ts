import type { Realm } from '../../daemon/api/views.ts';
import { ControlError } from '../../daemon/client/client.ts';
import { pluralise } from '../../daemon/lib/units.ts';
import { lookAtRealms } from './configured.ts';
import { type Check, finding, type Machine, notChecked, orGood } from './contract.ts';

/** Realms that name what does not exist on this machine, and realms in observe mode. */
export const realmsCheck: Check = {
  id: 'realms',
  what: 'every group, account and service that a realm names exists',
  async run(machine) {
    const realms = await realmsOf(machine);
    if (realms === undefined)
      return [notChecked('the realms: the configuration is not valid', 'see the configuration')];
    const findings = [
      ...observing(realms).map((name) =>
        finding(
          'realm.observing',
          `the realm "${name}" is in observe mode`,
          'sallyport report; once all accounts are ready, remove observe from the realm, then: sallyport reload',
        ),
      ),
      ...(await lookAtRealms(machine, realms)).findings,
    ];
    return orGood(
      findings,
      `${pluralise(realms.length, 'realm')}: all groups, accounts and services that they name exist`,
    );
  },
};

/** Active realms, or those of the file if the active ones are unknown. */
export async function realmsOf(machine: Machine): Promise<readonly Realm[] | undefined> {
  const status = await machine.status();
  const inForce = status.ok ? await permittedRealms(machine) : undefined;
  if (inForce !== undefined) return inForce;
  const read = await machine.config();
  return read.kind === 'good' ? read.config.realms : undefined;
}

/** @returns undefined if the caller may not see them */
async function permittedRealms(machine: Machine): Promise<readonly Realm[] | undefined> {
  try {
    return await machine.daemon.realms();
  } catch (error) {
    if (error instanceof ControlError) return undefined;
    throw error;
  }
}

/** Names of the realms in observe mode. */
export function observing(realms: readonly Realm[]): readonly string[] {
  return realms.flatMap((realm) => ('observe' in realm && realm.observe === true ? realm.name : []));
}
