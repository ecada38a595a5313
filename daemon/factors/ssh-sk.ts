import * as v from 'valibot';
import { SallyportError } from '../lib/errors.ts';
import { limits } from '../limits.ts';
import type { AnyRecord } from './answer.ts';
import type { FactorKind, RealmTerms } from './contract.ts';
import type { SshSkKey } from './encodings/ssh-key.ts';
import { fingerprintOf, keyTypes, readSshSkKey } from './encodings/ssh-key.ts';
import { base64, factorBase, type Infer, securityKeyTraits } from './fields.ts';

const schema = v.strictObject({
  ...factorBase,
  kind: v.literal('ssh-sk'),
  keyType: v.picklist(keyTypes),
  /** Base64 of the public key blob, as the .pub file and SSH_AUTH_INFO_0 write it. */
  publicKey: base64,
});
/** An OpenSSH security key: sshd verifies it, we match it (PROTOCOL.u2f). */
export type SshSkRecord = Infer<typeof schema>;

const request = v.strictObject({
  kind: v.literal('ssh-sk'),
  /** The line of a .pub file. */
  publicKey: v.pipe(v.string(), v.maxBytes(limits.sshKeyText)),
});

/**
 * An OpenSSH security key. sshd asks for it and verifies the answer before PAM is reached, so nothing that is typed
 * or touched at our prompt matches it: policy matches it (policy/requirement.ts), and the verifier accepts it.
 */
export const sshSk: FactorKind<SshSkRecord, never, typeof request, 'none'> = {
  kind: 'ssh-sk',
  schema,
  words: { name: 'SSH key', answer: 'SSH security key' },
  satisfies: 'webauthn',
  traits: securityKeyTraits,
  usable: () => true,
  // It never reports its model.
  notAllowed: (_record, { webauthn: { models } }) => (models === undefined ? undefined : 'cannot be used'),
  answerFormats: () => [],
  sshKey: ({ publicKey }) => publicKey,
  restored: (record) => ({ record }),
  enrolling: {
    request,
    proof: 'none',
    make: ({ kind, publicKey }, base, kept) => ({
      record: { ...base, kind, ...newSshSk(publicKey, kept) },
    }),
    unusable: idleIn,
  },
  exported: () => 'the key is in ~/.ssh already; enrol its .pub file there',
  details: (record) => ({ detail: `${record.keyType}, ${fingerprintOf(record)}` }),
  verify: () => ({ outcome: 'refused', reason: 'wrong' }),
};

/**
 * The key that is to be added. It needs no verification by a code: the stored key is public and opens no login, and
 * without the private key sshd refuses first.
 *
 * @param kept the factors that the account has already
 * @throws SallyportError `bad-key`
 */
function newSshSk(publicKey: string, kept: readonly AnyRecord[]): SshSkKey {
  const key = readSshSkKey(publicKey);
  const same = kept.find(
    (other) => other.kind === 'ssh-sk' && 'publicKey' in other && other.publicKey === key.publicKey,
  );
  if (same === undefined) return key;
  throw new SallyportError(
    'bad-key',
    `the factor "${same.name}" of this account is the same key${same.enabled ? '' : ', and disabled'}; ${same.enabled ? 'nothing to add' : 'enable it instead'}`,
  );
}

/** Why this realm does not accept the key, and the rule that would; undefined if a rule accepts it. */
function idleIn(realm: RealmTerms): string | undefined {
  if (realm.rules.some(({ action }) => action.kind === 'accept')) return undefined;
  const { name, require, webauthn } = realm;
  if (webauthn.models !== undefined)
    return `the realm "${name}" allows only certain models of security keys (webauthn.aaguids), and an SSH key does not report its model, so it is not accepted there`;
  const rule = '[[realm.rule]] services = ["sshd"] action = { accept = "ssh-sk" }';
  const isMet = require === 'none' || require === 'any' || require.includes('webauthn');
  const also = isMet ? '' : ', and add "webauthn" to its require';
  return `no rule of the realm "${name}" accepts ssh-sk, so this key is not accepted; add to that realm: ${rule}${also}`;
}
