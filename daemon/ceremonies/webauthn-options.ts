import type { AssertionOptions, CreationOptionsView } from '../api/sign-in-views.ts';
import type { CredentialRequest } from '../authenticators/key-requests.ts';
import type { CreationOptions } from '../authenticators/registrations.ts';
import { limits } from '../limits.ts';

/**
 * The options of a browser's credential request (W3C Web Authentication Level 3, 5.5). Credentials made for an AppID
 * are requested with the extension, which takes one AppID. The relying party is always the portal's own: a page may
 * name no other, and the AppID's host need not be the portal's.
 *
 * @param rpId of `[webauthn]`
 */
export function keyOptions(question: CredentialRequest, challenge: string, rpId: string): AssertionOptions {
  const own = question.groups.find((group) => group.rpId === rpId);
  const legacy = question.groups.find((group) => group.rpId.startsWith('https://'));
  const ids = [...(own?.credentialIds ?? []), ...(legacy?.credentialIds ?? [])];
  return {
    challenge,
    rpId,
    allowCredentials: ids.map((id) => ({ id, transports: [] })),
    userVerification: question.userVerification,
    ...(legacy === undefined ? {} : { appid: legacy.rpId }),
    timeout: limits.approvalDeadline,
  };
}

const coseIds = { es256: -7, eddsa: -8, rs256: -257 } as const;

export function creationOptions(wanted: CreationOptions, challenge: string): CreationOptionsView {
  const { account, rp, userId } = wanted;
  return {
    challenge,
    rp: { id: rp.rpId, name: rp.rpName },
    user: { id: userId.toString('base64url'), name: account, displayName: account },
    pubKeyCredParams: wanted.algorithms.map((algorithm) => coseIds[algorithm]),
    excludeCredentials: wanted.exclude,
    residentKey: wanted.residentKey ? 'required' : 'discouraged',
    userVerification: wanted.userVerification,
    attestation: wanted.attested ? 'direct' : 'none',
    timeout: limits.approvalDeadline,
  };
}
