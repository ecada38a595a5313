import type { Factor, SshSkRecord } from './contract.ts';

/**
 * A FIDO key of OpenSSH's. sshd asks it and verifies the answer before PAM is reached, so nothing that is typed
 * or touched at our prompt is ever one: policy matches it (policy/requirement.ts), and the verifier accepts it.
 */
export const sshSk: Factor<SshSkRecord> = {
  kind: 'ssh-sk',
  countsAsCode: false,
  usable: () => true,
  takes: () => false,
  verify: () => ({ outcome: 'refused', reason: 'wrong' }),
};
