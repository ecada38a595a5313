import * as v from 'valibot';
import type { FactorKind } from './contract.ts';
import { assertionOf, verifyAssertion } from './credential.ts';
import { credentialFields, factorBase, type Infer, text } from './fields.ts';

const schema = v.strictObject({
  ...factorBase,
  ...credentialFields,
  kind: v.literal('u2f'),
  /** What it was made for: an AppID ("https://login.example.org"), or what pam_u2f was told ("pam://host"). */
  appId: text,
  /** It was made so that each use asks for a PIN or a finger. */
  verified: v.boolean(),
});
/** A credential that was made before WebAuthn, or for a relying party of pam_u2f's. */
export type U2fRecord = Infer<typeof schema>;

/** An older one, for whatever relying party it was made. */
export const u2f: FactorKind<U2fRecord> = {
  kind: 'u2f',
  schema,
  words: { name: 'U2F key', answer: 'security key' },
  meets: 'webauthn',
  traits: { countsAsCode: false, liftsCodeLock: false, isIssued: false, runsOut: false },
  usable: () => true,
  // It never said which model it is.
  notAllowed: (_record, { webauthn: { models } }) =>
    models === undefined ? undefined : 'has no model, and the realm allows only some',
  answerFormats: assertionOf,
  details: ({ appId }) => ({
    detail: `legacy, made for ${appId}: add the key anew as webauthn, then remove this`,
  }),
  credential: ({ credentialId, publicKey, appId, verified }) => ({
    credentialId,
    publicKey,
    relyingParty: appId,
    verifiesUser: verified,
    inBrowser: appId.startsWith('https://'),
    isLegacy: true,
  }),
  verify: (record, format, context) =>
    verifyAssertion(
      record,
      record.appId,
      format,
      context,
      record.verified || context.userVerification === 'required',
    ),
};
