import * as v from 'valibot';
import { SallyportError } from '../lib/errors.ts';
import { limits } from '../limits.ts';
import type { FactorKind } from './contract.ts';
import {
  assertionOf,
  isCredentialOf,
  keyAlgorithmNames,
  refuseModels,
  refuseSameCredential,
  restoredCredential,
  staysHere,
  verifyAssertion,
} from './credential.ts';
import { coseKey } from './encodings/cose.ts';
import {
  credentialFields,
  factorBase,
  type Infer,
  portableBase,
  portableCredential,
  securityKeyTraits,
  text,
} from './fields.ts';

const schema = v.strictObject({
  ...factorBase,
  ...credentialFields,
  kind: v.literal('webauthn'),
  rpId: text,
  /** Model of the authenticator, as a UUID; all zero if it does not report one. */
  aaguid: v.pipe(text, v.uuid()),
  /** An attestation that leads to a root in the realm's metadata has proved the model. */
  attested: v.boolean(),
  /** The authenticator stores the credential itself. */
  resident: v.boolean(),
  /** As the authenticator reported at enrolment: "usb", "internal", "hybrid"; helps a browser to find it. */
  transports: v.array(text),
});
/** A security key's credential for the relying party of the configuration. */
export type WebauthnRecord = Infer<typeof schema>;

const portable = v.strictObject({
  ...portableBase,
  ...portableCredential,
  kind: v.literal('webauthn'),
  /** The last known signature counter. */
  counter: credentialFields.counter,
  rpId: v.pipe(v.string(), v.maxBytes(limits.appIdLength)),
});

/** Needs no code: the key made it for a challenge of ours. */
const request = v.strictObject({ kind: v.literal('webauthn') });

/** A credential for our own relying party. */
export const webauthn: FactorKind<WebauthnRecord, Infer<typeof portable>, typeof request, 'making'> = {
  kind: 'webauthn',
  schema,
  words: { name: 'Security key', answer: 'security key' },
  satisfies: 'webauthn',
  traits: securityKeyTraits,
  usable: () => true,
  notAllowed(record, { rpId, webauthn: { models } }) {
    // A key made for another relying party would not answer to ours.
    if (record.rpId !== rpId)
      return `was made for ${record.rpId}, and ${rpId === undefined ? 'no rp_id is set' : `rp_id is ${rpId}`}`;
    if (models === undefined) return undefined;
    if (!record.attested) return 'never proved its model';
    return models.aaguids.includes(record.aaguid)
      ? undefined
      : `is of model ${record.aaguid}, which the realm does not allow`;
  },
  answerFormats: assertionOf,
  restored: (record, { same }) => restoredCredential(record, same),
  enrolling: {
    request,
    proof: 'making',
    make({ kind }, base, kept, { registered }) {
      if (registered === undefined)
        throw new SallyportError('internal', 'internal error: an unverified credential; please report this');
      refuseSameCredential(registered.credentialId, kept);
      return { record: { ...base, kind, ...registered, spent: [] } };
    },
  },
  importing: {
    schema: portable,
    same: ({ credentialId }, kept) => isCredentialOf(kept, credentialId),
    take(moved, base, terms, { rpId }) {
      refuseModels(terms);
      if (moved.rpId !== rpId)
        throw new SallyportError(
          'no-relying-party',
          `the key was made for ${moved.rpId}, and the relying party here is ${rpId ?? 'not set'}: a key answers only to the domain that it was made for; set [webauthn] rp_id to that domain, or enrol the key again: sallyport factor add webauthn`,
        );
      const key = coseKey(moved.algorithm, Buffer.from(moved.publicKey, 'base64'));
      if (key === undefined || moved.credentialId === '')
        throw new SallyportError('bad-secret', 'not a public key of this kind; check the file');
      return {
        ...base,
        kind: 'webauthn',
        credentialId: moved.credentialId,
        publicKey: key.toString('base64'),
        algorithm: moved.algorithm,
        counter: moved.counter,
        spent: [],
        rpId: moved.rpId,
        aaguid: '00000000-0000-0000-0000-000000000000',
        attested: false,
        resident: false,
        transports: [],
      };
    },
    raise: (moved, kept) =>
      isCredentialOf(kept, moved.credentialId) && moved.counter > kept.counter
        ? ({ ...kept, counter: moved.counter } as WebauthnRecord)
        : undefined,
  },
  exported: () => staysHere,
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
