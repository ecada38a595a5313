import * as v from 'valibot';
import type { FactorKind } from './contract.ts';
import { assertionOf, keyAlgorithmNames, verifyAssertion } from './credential.ts';
import { credentialFields, factorBase, type Infer, text } from './fields.ts';

const schema = v.strictObject({
  ...factorBase,
  ...credentialFields,
  kind: v.literal('webauthn'),
  rpId: text,
  /** Model of the authenticator, as a UUID; all zero: it does not say. */
  aaguid: v.pipe(text, v.uuid()),
  /** The model was proven by attestation that leads to a root in the realm's metadata. */
  attested: v.boolean(),
  /** The authenticator keeps the credential itself. */
  resident: v.boolean(),
  /** As the authenticator said at enrolment: "usb", "internal", "hybrid"; for a browser, to find it. */
  transports: v.array(text),
});
/** A security key's credential for the relying party of the configuration. */
export type WebauthnRecord = Infer<typeof schema>;

/** A credential for our own relying party. */
export const webauthn: FactorKind<WebauthnRecord> = {
  kind: 'webauthn',
  schema,
  words: { name: 'Security key', answer: 'security key' },
  meets: 'webauthn',
  traits: { countsAsCode: false, liftsCodeLock: false, isIssued: false, runsOut: false },
  usable: () => true,
  notAllowed(record, { rpId, webauthn: { models } }) {
    // Made for another relying party, no key and no browser would answer for it.
    if (record.rpId !== rpId)
      return `was made for ${record.rpId}, and ${rpId === undefined ? 'no rp_id is set' : `rp_id is ${rpId}`}`;
    if (models === undefined) return undefined;
    if (!record.attested) return 'never proved its model';
    return models.aaguids.includes(record.aaguid)
      ? undefined
      : `is of model ${record.aaguid}, which the realm does not allow`;
  },
  answerFormats: assertionOf,
  details: ({ rpId, algorithm, resident }) => ({
    detail: `${rpId}, ${keyAlgorithmNames[algorithm]}${resident ? ', resident' : ''}`,
  }),
  credential: ({ credentialId, publicKey, rpId }) => {
    return {
      credentialId,
      publicKey,
      relyingParty: rpId,
      verifiesUser: false,
      inBrowser: true,
      isLegacy: false,
    };
  },
  verify: (record, format, context) =>
    verifyAssertion(record, record.rpId, format, context, context.userVerification === 'required'),
};
