import * as v from 'valibot';
import type { FactorKind } from './contract.ts';
import { takesAssertion, verifyAssertion } from './credential.ts';
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
  countsAsCode: false,
  usable: () => true,
  takes: takesAssertion,
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
