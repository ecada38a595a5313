import type { Config } from '../config/contract.ts';
import type { LoginFacts } from './contract.ts';

/**
 * Where new secrets, recovery keys and links may be shown.
 *
 * Invariants:
 * - only in a login whose first factor is verified, over pam.sock, and only where the text is known to reach the
 *   person and no log: unknown counts as no;
 * - the name of a service allows nothing, unless the administrator has listed it in secrets_in.
 */
export function maySeeSecrets(
  { firstFactorVerified, rootSocket, reachesPerson, service }: LoginFacts,
  { secretsIn }: Pick<Config, 'secretsIn'>,
): boolean {
  return firstFactorVerified && rootSocket && (reachesPerson === true || secretsIn.includes(service));
}

/** As OpenSSH sets PAM_TTY: its output goes to the client and to no log. */
export const sshTty = 'ssh';

const atTerminals: ReadonlySet<string> = new Set(['login', 'su', 'su-l', 'sudo', 'sudo-i']);

/** For `explain`, which has no login: programs that are used at a terminal are assumed to be at one. */
export function usuallyReachesPerson(service: string, tty: string | undefined): boolean {
  return service === 'sshd' ? (tty ?? sshTty) === sshTty : atTerminals.has(service);
}

/**
 * For a user who could enrol a first factor in a login, but not in this one.
 * @param used "recovery keys": the user had those, and used them all
 */
export function addFirstText(
  { portal }: Pick<Config, 'portal'>,
  service: string,
  used: string | undefined,
): string {
  const need =
    used === undefined
      ? 'You need a second factor and have none.'
      : `You need a second factor: all your ${used} are used.`;
  const over = service === 'sshd' ? undefined : 'log in over ssh.';
  const ways = [portal?.origins[0], over].filter((way) => way !== undefined);
  if (ways.length === 0) return `${need} Ask your administrator to add one.`;
  return `${need} Add one first: ${ways.join(', or ')}`;
}

/** For administrators: where secrets would be shown in this login, and why. */
export function secretsText(facts: LoginFacts, config: Pick<Config, 'secretsIn'>): string {
  const { service } = facts;
  if (!maySeeSecrets(facts, config))
    return `not shown: output of ${service} may end up in a log, or not be seen`;
  if (facts.reachesPerson !== true) return `shown: secrets_in names ${service}`;
  return service === 'sshd' ? 'shown over ssh' : 'shown at the terminal';
}
