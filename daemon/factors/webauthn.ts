import * as v from 'valibot';
import type { FactorKind } from './contract.ts';
import { takesAssertion, verifyAssertion } from './credential.ts';
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
  countsAsCode: false,
  usable: () => true,
  takes: takesAssertion,
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
