import * as v from 'valibot';
import type { FactorKind } from './contract.ts';
import { base64, factorBase, type Infer } from './fields.ts';
import { keyTypes } from './ssh-key.ts';

const schema = v.strictObject({
  ...factorBase,
  kind: v.literal('ssh-sk'),
  keyType: v.picklist(keyTypes),
  /** Base64 of the public key blob, as the .pub file and SSH_AUTH_INFO_0 write it. */
  publicKey: base64,
});
/** A FIDO key of OpenSSH's: sshd verifies it, we match it (PROTOCOL.u2f). */
export type SshSkRecord = Infer<typeof schema>;

/**
 * A FIDO key of OpenSSH's. sshd asks it and verifies the answer before PAM is reached, so nothing that is typed
 * or touched at our prompt is ever one: policy matches it (policy/requirement.ts), and the verifier accepts it.
 */
export const sshSk: FactorKind<SshSkRecord> = {
  kind: 'ssh-sk',
  schema,
  countsAsCode: false,
  usable: () => true,
  takes: () => false,
  verify: () => ({ outcome: 'refused', reason: 'wrong' }),
};
