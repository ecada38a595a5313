import * as v from 'valibot';
import { SallyportError } from '../lib/errors.ts';
import { limits } from '../limits.ts';
import type { FactorBase, FactorKind } from './contract.ts';
import {
  assertionOf,
  isCredentialOf,
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
  type Immutable,
  type Infer,
  portableBase,
  portableCredential,
  requestSecret,
  securityKeyTraits,
  text,
} from './fields.ts';

const schema = v.strictObject({
  ...factorBase,
  ...credentialFields,
  kind: v.literal('u2f'),
  /** The scope it was made for: an AppID ("https://login.example.org"), or pam_u2f's origin ("pam://host"). */
  appId: text,
  /** It was made so that each use asks for a PIN or fingerprint. */
  verified: v.boolean(),
});
/** A credential that was made before WebAuthn, or for a relying party of pam_u2f's. */
export type U2fRecord = Infer<typeof schema>;

const portable = v.strictObject({
  ...portableBase,
  ...portableCredential,
  kind: v.literal('u2f'),
  appId: v.pipe(v.string(), v.maxBytes(limits.appIdLength)),
  verified: v.boolean(),
});

const request = v.strictObject({
  kind: v.literal('u2f'),
  credentialId: portableCredential.credentialId,
  /** Of the raw key (encodings/cose.ts). */
  publicKey: requestSecret,
  algorithm: credentialFields.algorithm,
  appId: portable.entries.appId,
  verified: portable.entries.verified,
});
/** A legacy credential that was made elsewhere, as JSON contains it. */
export type U2fJson = Omit<Immutable<v.InferInput<typeof request>>, 'kind'>;
/** The same with the bytes of its key. */
export type U2fCredential = Omit<Infer<typeof request>, 'kind'>;

/** A legacy credential, whatever relying party it was made for. */
export const u2f: FactorKind<U2fRecord, Infer<typeof portable>, typeof request, 'touch'> = {
  kind: 'u2f',
  schema,
  words: { name: 'U2F key', answer: 'security key' },
  satisfies: 'webauthn',
  traits: securityKeyTraits,
  usable: () => true,
  // It never reported its model.
  notAllowed: (_record, { webauthn: { models } }) =>
    models === undefined ? undefined : 'has no model, and the realm allows only some',
  answerFormats: assertionOf,
  restored: (record, { same }) => restoredCredential(record, same),
  enrolling: {
    request,
    proof: 'touch',
    make(credential, base, kept) {
      const record = { ...base, ...legacyCredential(credential) };
      refuseSameCredential(record.credentialId, kept);
      return { record };
    },
    refusal: () =>
      new SallyportError(
        'wrong-code',
        'the key that was touched did not sign for this public key; check it and the AppID',
      ),
  },
  importing: {
    schema: portable,
    same: ({ credentialId }, kept) => isCredentialOf(kept, credentialId),
    take({ credentialId, algorithm, appId, verified, publicKey: raw }, base, terms) {
      refuseModels(terms);
      const publicKey = Buffer.from(raw, 'base64');
      return { ...base, ...legacyCredential({ credentialId, algorithm, appId, verified, publicKey }) };
    },
    raise: () => undefined,
  },
  exported: () => staysHere,
  details: ({ appId }) => ({
    detail: `legacy, made for ${appId}: enrol the key again as webauthn, then remove this`,
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

/** @throws SallyportError `bad-secret`: the copied text is not a key, or the relying party is invalid */
export function legacyCredential(credential: U2fCredential): Omit<U2fRecord, keyof FactorBase> {
  const { credentialId, algorithm, appId, verified } = credential;
  const key = coseKey(algorithm, credential.publicKey);
  if (key === undefined)
    throw new SallyportError('bad-secret', 'not a public key of this kind; copy the whole line unchanged');
  if (!isCredentialId(credentialId))
    throw new SallyportError('bad-secret', 'not a key handle; copy the whole line unchanged');
  if (appId.length === 0 || appId.length > limits.appIdLength || !/^[\x21-\x7e]+$/.test(appId))
    throw new SallyportError(
      'bad-secret',
      'the key was made for an AppID (https://…), or for what pam_u2f calls its origin (pam://HOST): give that one',
    );
  const publicKey = key.toString('base64');
  return { kind: 'u2f', credentialId, publicKey, algorithm, counter: 0, spent: [], appId, verified };
}

/** Canonical, as the key reports it: another encoding of the same bytes would never match. */
function isCredentialId(text: string): boolean {
  const bytes = Buffer.from(text, 'base64url');
  const isSized = bytes.length > 0 && bytes.length <= limits.credentialIdLength;
  return isSized && bytes.toString('base64url') === text;
}
