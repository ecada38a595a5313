import { dirname, join } from 'node:path/posix';
import type { Config } from './contract.ts';

export const defaultConfigFile = '/etc/sallyport/sallyport.toml';

/** Where things lie on an installed system. */
export const systemPaths: Config['paths'] = {
  store: '/var/lib/sallyport/store',
  anchor: '/var/lib/sallyport/anchor',
  masterKey: '/etc/sallyport/master.key',
  lastGood: '/var/lib/sallyport/last-good',
  pamSocket: '/run/sallyport/pam.sock',
  pamUserSocket: '/run/sallyport/pam-user.sock',
  controlSocket: '/run/sallyport/control.sock',
  fidoSocket: '/run/sallyport/fido.sock',
  passwordSocket: '/run/sallyport/password.sock',
};

/** [paths] as the file writes it. */
export interface PathsTable {
  readonly store?: string | undefined;
  readonly anchor?: string | undefined;
  readonly master_key?: string | undefined;
  readonly last_good?: string | undefined;
  readonly pam_socket?: string | undefined;
  readonly pam_user_socket?: string | undefined;
  readonly control_socket?: string | undefined;
  readonly fido_socket?: string | undefined;
  readonly fido_helper?: string | undefined;
  readonly password_socket?: string | undefined;
  readonly password_helper?: string | undefined;
  readonly password_service_dir?: string | undefined;
}

/** The PAM module derives the user socket from `socket=`: same directory, this name. */
export function userSocketBeside(pamSocket: string): string {
  return join(dirname(pamSocket), 'pam-user.sock');
}

export function pathsOf(table: PathsTable): Config['paths'] {
  const pamSocket = table.pam_socket ?? systemPaths.pamSocket;
  return {
    store: table.store ?? systemPaths.store,
    anchor: table.anchor ?? systemPaths.anchor,
    masterKey: table.master_key ?? systemPaths.masterKey,
    lastGood: table.last_good ?? systemPaths.lastGood,
    pamSocket,
    pamUserSocket: table.pam_user_socket ?? userSocketBeside(pamSocket),
    controlSocket: table.control_socket ?? systemPaths.controlSocket,
    fidoSocket: table.fido_socket ?? systemPaths.fidoSocket,
    ...(table.fido_helper === undefined ? {} : { fidoHelper: table.fido_helper }),
    passwordSocket: table.password_socket ?? systemPaths.passwordSocket,
    ...(table.password_helper === undefined ? {} : { passwordHelper: table.password_helper }),
    ...(table.password_service_dir === undefined ? {} : { passwordServiceDir: table.password_service_dir }),
  };
}

/** The programs that lie beside this one, as far as they were built. */
export interface HelperPrograms {
  readonly fido?: string | undefined;
  readonly password?: string | undefined;
}

/** Everything below one directory, for development and tests (`init --root`). */
export function rootedPaths(root: string, { fido, password }: HelperPrograms = {}): Config['paths'] {
  return {
    store: `${root}/var/store`,
    anchor: `${root}/var/anchor`,
    masterKey: `${root}/etc/master.key`,
    lastGood: `${root}/var/last-good`,
    pamSocket: `${root}/run/pam.sock`,
    pamUserSocket: `${root}/run/pam-user.sock`,
    controlSocket: `${root}/run/control.sock`,
    fidoSocket: `${root}/run/fido.sock`,
    ...(fido === undefined ? {} : { fidoHelper: fido }),
    passwordSocket: `${root}/run/password.sock`,
    ...(password === undefined ? {} : { passwordHelper: password, passwordServiceDir: `${root}/etc/pam.d` }),
  };
}

/** Where the security keys of this machine are asked: a socket of the service manager, or a child process. */
export function fidoEndpoint({ fidoHelper, fidoSocket }: Config['paths']) {
  return fidoHelper === undefined ? { socket: fidoSocket } : { program: fidoHelper };
}

export function passwordEndpoint(paths: Config['paths']) {
  const { passwordHelper: program, passwordServiceDir: confdir, passwordSocket: socket } = paths;
  if (program === undefined) return { socket };
  return { program, ...(confdir === undefined ? {} : { confdir }) };
}

export const defaultAdminGroup = 'sallyport-admin';
/** The account that sallyport-notify runs as. */
export const notifyUser = 'sallyport-notify';

const hour = 3_600_000;

/** What a realm or table means when it leaves a key out. */
export const defaults = {
  auditKeepForMs: 400 * 24 * hour,
  auditKeepEvents: 1_000_000,
  auditKeepBytes: 1024 ** 3,
  totp: { digits: 6, period: 30, algorithm: 'sha1', skew: 1 },
  validationServers: ['https://api.yubico.com/wsapi/2.0/verify'],
  webauthn: { userVerification: 'discouraged' },
  portal: { listen: { address: '127.0.0.1', port: 8443 }, user: 'sallyport-portal' },
  lockout: { codes: 8, any: 100, forMs: hour },
} as const;
