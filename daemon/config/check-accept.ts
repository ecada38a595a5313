import { satisfiesRequirement, sshKind } from '../factors/kinds.ts';
import type { Placed } from './check.ts';
import type { Rule } from './contract.ts';
import { formatValue, type Report } from './problem.ts';
import type { RealmTable } from './schema.ts';

/** The one program whose word about a key is believed (login/facts.ts). */
const service = 'sshd';

/** Rules that accept a factor, and never could: they look as if they let in. */
export function checkAccepts(
  { require, webauthn }: Pick<RealmTable, 'require' | 'webauthn'>,
  rules: readonly Placed<Rule>[],
  report: Report,
): void {
  const isMet = satisfiesRequirement(require, sshKind);
  for (const { item, path } of rules) {
    const { action, services, from } = item;
    if (action.kind !== 'accept') continue;
    if (!isMet)
      report.add(
        [...path, 'action'],
        `accept = ${formatValue(action.factor)}`,
        'it in a realm whose require is "none" or "any", or has "webauthn" in it',
        `this realm requires ${[require].flat().join(' or ')}, and ${action.factor} satisfies only webauthn`,
      );
    if (isMet && webauthn?.aaguids !== undefined)
      report.add(
        [...path, 'action'],
        `accept = ${formatValue(action.factor)}`,
        'it in a realm without webauthn.aaguids',
        'this realm allows only certain models of security keys, and an SSH key does not state its model',
      );
    if (services?.includes(service) === false)
      report.add(
        [...path, 'services'],
        formatValue(services),
        `"${service}" among them, or no services`,
        `only ${service} verifies keys of ssh, so this rule could never accept one`,
      );
    if (from?.every(({ kind }) => kind === 'local') === true)
      report.add(
        [...path, 'from'],
        formatValue(['local']),
        'an address or a network, or no from',
        `a login through ${service} is never local, so this rule could never accept one`,
      );
  }
}
