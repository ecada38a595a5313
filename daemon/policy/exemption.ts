import type { Exemption, LoginFacts } from './contract.ts';

/**
 * The exemption that lets this login off; undefined: none does.
 *
 * MUST hold:
 * - it counts from its beginning up to its end, so that a clock that was set back voids it;
 * - never in the portal: whoever changes factors is asked for one;
 * - on pam-user.sock, where a program says of itself which service it is, only one that is for every service.
 */
export function activeExemption(
  exemption: Exemption | undefined,
  { service, rootSocket }: Pick<LoginFacts, 'service' | 'rootSocket'>,
  isPortal: boolean,
  now: number,
): Exemption | undefined {
  if (exemption === undefined || isPortal) return undefined;
  if (!isRunning(exemption, now)) return undefined;
  const { services } = exemption;
  const fits = services === undefined || (rootSocket && services.includes(service));
  return fits ? exemption : undefined;
}

export function isRunning({ since, until }: Exemption, now: number): boolean {
  return since <= now && now < until;
}
