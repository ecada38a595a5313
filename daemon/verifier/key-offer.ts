import type { Approvals } from '../authenticators/approvals.ts';
import type { Assertions } from '../authenticators/assertions.ts';
import { type KeyRequests, questionFor, securityKeysOf } from '../authenticators/key-requests.ts';
import type { Config } from '../config/contract.ts';
import type { Assertion } from '../factors/contract.ts';
import { credentialOf } from '../factors/kinds.ts';
import type { Ask } from '../policy/decision.ts';
import { keyLocationOf } from '../policy/requirement.ts';
import { maySeeSecrets } from '../policy/secrets.ts';
import type { Assessment } from './assessment.ts';
import type { KeyOption, OpenLogin } from './contract.ts';
import { typedNames } from './prompt-texts.ts';

/** The inputs for a key option. */
export interface OfferOptions {
  readonly keyRequests: Pick<KeyRequests, 'isPlugged'>;
  readonly approvals: Pick<Approvals, 'open'>;
  readonly assertions: Pick<Assertions, 'prepare'>;
  readonly config: () => Pick<Config, 'portal' | 'secretsIn'>;
}

/**
 * Invariant: only for a login that policy asks for a factor, so for one whose first factor is verified; keys of
 * this machine only for a local user.
 *
 * @returns undefined if none of the accepted factors is a security key
 */
export async function keyOptionFor(
  { factors, codesLocked }: Pick<Ask, 'factors' | 'codesLocked'>,
  { realm, subject }: Pick<Assessment, 'realm' | 'subject'>,
  { facts, host }: Pick<OpenLogin, 'facts' | 'host'>,
  { keyRequests, approvals, assertions, config }: OfferOptions,
): Promise<KeyOption | undefined> {
  const credentials = factors.filter((factor) => credentialOf(factor) !== undefined);
  const [first] = credentials;
  const question = questionFor(securityKeysOf(credentials), realm?.webauthn.userVerification ?? 'required');
  if (first === undefined || question === undefined) return undefined;
  assertions.prepare();
  const typed = typedNames(factors, codesLocked);
  const common = { question, ...(typed === undefined ? {} : { typed }) };
  if (keyLocationOf(facts, first, config().portal !== undefined) === 'here')
    return { ...common, place: 'here', plugged: await keyRequests.isPlugged(host) };
  if (facts.browser === true) return { ...common, place: 'page' };
  const account = (subject.holder ?? subject.target).name;
  const approval = approvals.open(account, facts, question, credentials);
  return { ...common, place: 'approval', approval, linkShown: maySeeSecrets(facts, config()) };
}

/** Invariant: a login accepts only assertions that it requested itself (rule 1). */
export function boundTo(login: OpenLogin, offer: KeyOption): OpenLogin {
  return offer.place === 'approval' ? { ...login, challenge: offer.approval.challenge } : login;
}

/** The assertion bound to the challenge of this login: one for another challenge then fails. */
export function ofThis({ challenge }: OpenLogin, assertion: Assertion): Assertion {
  return challenge === undefined ? assertion : { ...assertion, challenge };
}
