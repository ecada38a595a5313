import { type ClientCode, ControlError } from '../../daemon/client/client.ts';

/** Scripts rely on these (docs/reference/cli.md, "Exit status"). */
export const exitStatus = {
  done: 0,
  refused: 1,
  usage: 2,
  noSuchThing: 3,
  unreachable: 4,
  notPermitted: 77,
  config: 78,
} as const;

/** Their descriptions in --help, the manual page and docs/reference/cli.md. */
export const exitStatuses: readonly { readonly status: ExitStatus; readonly meaning: string }[] = [
  { status: exitStatus.done, meaning: 'success' },
  { status: exitStatus.refused, meaning: 'failed or refused' },
  { status: exitStatus.usage, meaning: 'usage error' },
  { status: exitStatus.noSuchThing, meaning: 'not found' },
  { status: exitStatus.unreachable, meaning: 'daemon unreachable' },
  { status: exitStatus.notPermitted, meaning: 'permission denied' },
  { status: exitStatus.config, meaning: 'configuration error' },
];

export type ExitStatus = (typeof exitStatus)[keyof typeof exitStatus];

/** Errors that the CLI itself detects. */
export type CliCode =
  | 'usage'
  | 'refused'
  /** The daemon's sign-in-refused, if no further answer follows. */
  | 'factor-refused'
  | 'cancelled'
  | 'no-such-factor'
  | 'config-unreadable'
  | 'root-needed';

export class CliError extends Error {
  readonly code: CliCode;

  /** @param message what happened; what to do. Never holds a secret */
  constructor(code: CliCode, message: string) {
    super(message);
    this.name = 'CliError';
    this.code = code;
  }
}

const statusOf: Readonly<Record<ClientCode | CliCode, ExitStatus>> = {
  usage: exitStatus.usage,
  refused: exitStatus.refused,
  cancelled: exitStatus.refused,
  'factor-refused': exitStatus.notPermitted,
  'config-unreadable': exitStatus.config,
  'root-needed': exitStatus.notPermitted,
  'daemon-unreachable': exitStatus.unreachable,
  'shutting-down': exitStatus.unreachable,
  'not-permitted': exitStatus.notPermitted,
  'token-needed': exitStatus.notPermitted,
  'no-such-account': exitStatus.noSuchThing,
  'no-such-factor': exitStatus.noSuchThing,
  'no-such-realm': exitStatus.noSuchThing,
  'no-such-ceremony': exitStatus.refused,
  'no-such-sign-in': exitStatus.refused,
  'no-such-approval': exitStatus.refused,
  'sign-in-refused': exitStatus.notPermitted,
  'password-needed': exitStatus.notPermitted,
  'password-unavailable': exitStatus.refused,
  'no-relying-party': exitStatus.config,
  'metadata-unreadable': exitStatus.config,
  'key-refused': exitStatus.refused,
  'key-unavailable': exitStatus.refused,
  'too-many-ceremonies': exitStatus.refused,
  'too-many-changes': exitStatus.refused,
  'config-invalid': exitStatus.config,
  'bad-request': exitStatus.usage,
  'bad-name': exitStatus.usage,
  'bad-secret': exitStatus.usage,
  'bad-key': exitStatus.usage,
  'no-such-operation': exitStatus.refused,
  'request-timeout': exitStatus.refused,
  'name-taken': exitStatus.refused,
  'factor-kind-not-allowed': exitStatus.refused,
  'too-many-factors': exitStatus.refused,
  'last-factor': exitStatus.refused,
  'yes-needed': exitStatus.refused,
  'uid-changed': exitStatus.refused,
  'has-record': exitStatus.refused,
  'master-key-rejected': exitStatus.refused,
  conflict: exitStatus.refused,
  'body-too-large': exitStatus.refused,
  'wrong-code': exitStatus.refused,
  'too-many-connections': exitStatus.refused,
  'too-many-followers': exitStatus.refused,
  'header-too-large': exitStatus.refused,
  internal: exitStatus.refused,
  'record-damaged': exitStatus.refused,
  'validation-unavailable': exitStatus.refused,
  'store-unreadable': exitStatus.refused,
  'store-unwritable': exitStatus.refused,
  'store-closed': exitStatus.refused,
  'accounts-unavailable': exitStatus.refused,
  'too-slow': exitStatus.refused,
};

/** The system's error code: "ENOENT". @param otherwise returned if it has no code */
export function systemCode(error: unknown, otherwise = String(error)): string {
  return error instanceof Error && 'code' in error ? String(error.code) : otherwise;
}

/** Describes why a file cannot be written. */
export function cannotWrite(path: string, error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 'bad-target') return error.message;
  return `cannot write ${path} (${systemCode(error)})`;
}

/** The exit status of an error. The status of a code never changes. */
export function exitStatusOf(error: unknown): ExitStatus {
  if (error instanceof ControlError || error instanceof CliError) return statusOf[error.code];
  return exitStatus.refused;
}
