import * as v from 'valibot';
import type { FactorKind } from './contract.ts';
import { base64, factorBase, type Infer } from './fields.ts';
import { fingerprintOf, keyTypes } from './ssh-key.ts';

const schema = v.strictObject({
  ...factorBase,
  kind: v.literal('ssh-sk'),
  keyType: v.picklist(keyTypes),
  /** Base64 of the public key blob, as the .pub file and SSH_AUTH_INFO_0 write it. */
  publicKey: base64,
});
/** An OpenSSH security key: sshd verifies it, we match it (PROTOCOL.u2f). */
export type SshSkRecord = Infer<typeof schema>;

/**
 * An OpenSSH security key. sshd asks for it and verifies the answer before PAM is reached, so nothing that is typed
 * or touched at our prompt matches it: policy matches it (policy/requirement.ts), and the verifier accepts it.
 */
export const sshSk: FactorKind<SshSkRecord> = {
  kind: 'ssh-sk',
  schema,
  words: { name: 'SSH key', answer: 'SSH security key' },
  satisfies: 'webauthn',
  traits: { countsAsCode: false, liftsCodeLock: false, isIssued: false, isSingle: false, runsOut: false },
  usable: () => true,
  // It never reports its model.
  notAllowed: (_record, { webauthn: { models } }) => (models === undefined ? undefined : 'cannot be used'),
  answerFormats: () => [],
  sshKey: ({ publicKey }) => publicKey,
  restored: (record) => ({ record }),
  exported: () => 'the key is in ~/.ssh already; enrol its .pub file there',
  details: (record) => ({ detail: `${record.keyType}, ${fingerprintOf(record)}` }),
  verify: () => ({ outcome: 'refused', reason: 'wrong' }),
};
