import type { ModuleLine } from './lines.ts';
import { isOurs } from './read.ts';

/**
 * The role of a module in the auth phase:
 * - `ours`
 * - `first`: verifies a first factor: password, fingerprint or smart card
 * - `deny`, `permit`: always that result
 * - `quiet`: prepares something; its result verifies nothing
 * - `other`: a condition, or a module not in this table
 */
export type Role = 'ours' | 'first' | 'deny' | 'permit' | 'quiet' | 'other';

const roles: readonly (readonly [Role, readonly string[]])[] = [
  [
    'first',
    [
      ...['unix', 'unix_auth', 'sss', 'ldap', 'krb5', 'krb5_afs', 'winbind', 'himmelblau', 'kanidm', 'authd'],
      ...[
        'systemd_home',
        'pwdfile',
        'userdb',
        'mysql',
        'pgsql',
        'radius_auth',
        'tacplus',
        'lwidentity',
        'lsass',
      ],
      ...['fprintd', 'ssh_agent_auth', 'pkcs11', 'p11', 'oslogin_login', 'vas3', 'aad', 'smbpass'],
    ],
  ],
  ['deny', ['deny']],
  ['permit', ['permit']],
  [
    'quiet',
    [
      ...['env', 'faildelay', 'group', 'cap', 'keyinit', 'issue', 'warn', 'motd', 'mail', 'echo', 'umask'],
      ...['gnome_keyring', 'kwallet', 'kwallet5', 'mount', 'ecryptfs', 'selinux', 'systemd', 'limits'],
    ],
  ],
];

const table = new Map(roles.flatMap(([role, names]) => names.map((name) => [name, role] as const)));

/** "unix" of "pam_unix.so", "/lib/security/pam_unix.so". */
export function moduleName({ module }: Pick<ModuleLine, 'module'>): string {
  return /(?:^|\/)pam_([\w.-]+?)(?:\.so)?$/.exec(module)?.[1] ?? module;
}

export function roleOf(line: ModuleLine): Role {
  if (isOurs(line)) return 'ours';
  return table.get(moduleName(line)) ?? 'other';
}

/** Whether a line of pam_sallyport takes password and code from one answer: no first factor is verified before it. */
export function takesPassword({ options }: Pick<ModuleLine, 'options'>): boolean {
  // first_pass: the deprecated name of use_first_pass.
  return options.some((one) => ['password_and_code', 'use_first_pass', 'first_pass'].includes(one));
}

export function saysPassed(line: ModuleLine): boolean {
  return line.options.includes('first_factor=passed');
}
