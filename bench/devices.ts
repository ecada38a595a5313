import type { EnrolBody } from '../daemon/api/views.ts';
import { pubLine } from '../test/support/ssh-keys.ts';
import type { ModuleName } from './candidate.ts';
import { otpsOf } from './otp.ts';
import { codesOf, type Person } from './people.ts';

/** What people log in with; each code of it makes a durable success. */
export interface Device {
  /** As the table calls the module when this is typed. */
  readonly module: ModuleName;
  /** In names of services and directories. */
  readonly name: string;
  /** The name of the PAM service, where it plays a part. */
  readonly service?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Of the last realm, in the configuration. */
  readonly rule?: string;
  enrolment(person: Person): EnrolBody;
  codes(person: Person, first: number, count: number): string[];
}

export const hotp: Device = {
  module: 'pam_sallyport',
  name: 'hotp',
  enrolment: ({ secret }) => ({
    kind: 'hotp',
    secret: secret.toString('base64'),
    digits: 6,
    algorithm: 'sha1',
    counter: 0,
    verify: false,
  }),
  codes: ({ secret }, first, count) => codesOf(secret, first, count),
};

/** Validated here, with its AES key: no server is asked. */
export const yubikey: Device = {
  module: 'pam_sallyport, YubiKey',
  name: 'yubikey',
  enrolment: ({ yubikey: { publicId, privateId, aesKey } }) => ({
    kind: 'yubikey',
    validation: 'local',
    publicId,
    privateId: privateId.toString('base64'),
    secret: aesKey.toString('base64'),
    verify: false,
  }),
  codes: ({ yubikey: key }, first, count) => otpsOf(key, first, count),
};

const sshKey = pubLine('bench');

/** sshd has verified the key before PAM is reached, and says so in the environment; nothing is typed. */
export const sshSk: Device = {
  module: 'pam_sallyport, ssh-sk',
  name: 'ssh-sk',
  service: 'sshd',
  environment: { SSH_AUTH_INFO_0: `publickey ${sshKey.split(' ').slice(0, 2).join(' ')}\n` },
  rule: '\n[[realm.rule]]\nservices = ["sshd"]\naction = { accept = "ssh-sk" }\n',
  enrolment: () => ({ kind: 'ssh-sk', publicKey: sshKey, verify: false }),
  codes: (_person, _first, count) => Array.from({ length: count }, () => '-'),
};
