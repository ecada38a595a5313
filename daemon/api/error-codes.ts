/**
 * Every code that an error on control.sock may carry, with its HTTP status. Codes are stable: the
 * CLI's exit status, scripts and the portal rely on them. A code that is not here travels as
 * `internal`, and its message stays in the daemon's log.
 */
export const httpStatus = {
  'bad-request': 400,
  'not-permitted': 403,
  /** Needs a change token, which only root can do without. */
  'token-needed': 403,
  /** Name, password or factor. */
  'sign-in-refused': 403,
  /** A link that does not replace the password. */
  'password-needed': 403,
  'no-such-operation': 404,
  'no-such-account': 404,
  'no-such-factor': 404,
  'no-such-realm': 404,
  'no-such-ceremony': 404,
  'no-such-sign-in': 404,
  'no-such-approval': 404,
  /** The client was too slow with its request. */
  'request-timeout': 408,
  /** A name that another factor of the account has. */
  'name-taken': 409,
  /** The account that should get a record already has factors. */
  'has-record': 409,
  /** The record was made for another uid. */
  'uid-changed': 409,
  /** The realm does not take factors of this kind. */
  'factor-kind-not-allowed': 409,
  'too-many-factors': 409,
  /** Without it the account could not log in any more. */
  'last-factor': 409,
  /** The message says what the change would cost; asked for again with `confirmed`, it is made. */
  'yes-needed': 409,
  /** The configuration names no relying party to make security keys for. */
  'no-relying-party': 409,
  /** The master key file does not hold what it must. */
  'master-key-rejected': 409,
  /** Commits kept conflicting with others. */
  conflict: 409,
  'body-too-large': 413,
  /** The code that was to prove a new factor is wrong. */
  'wrong-code': 422,
  /** A new factor's secret is not long enough, or otherwise of no use. */
  'bad-secret': 422,
  'bad-name': 422,
  /** A security key that cannot be added: there already, of a model that is not allowed, without a PIN. */
  'key-refused': 422,
  /** What was given is no FIDO key of OpenSSH's. */
  'bad-key': 422,
  /** The configuration that was to be loaded has a fault; the last good one stays in force. */
  'config-invalid': 422,
  'too-many-connections': 429,
  'too-many-followers': 429,
  'too-many-ceremonies': 429,
  'too-many-changes': 429,
  'header-too-large': 431,
  internal: 500,
  'record-damaged': 500,
  'store-unreadable': 503,
  'store-unwritable': 503,
  'store-closed': 503,
  /** NSS could not say who an account is. */
  'accounts-unavailable': 503,
  /** The servers that validate YubiKeys gave no answer. */
  'validation-unavailable': 503,
  /** No password can be checked. */
  'password-unavailable': 503,
  /** No security key was plugged in or touched in time, or none can be asked here. */
  'key-unavailable': 503,
  /** The metadata of the models that a realm allows. */
  'metadata-unreadable': 503,
  /** A follower did not keep up. */
  'too-slow': 503,
  'shutting-down': 503,
} as const;

export type ControlCode = keyof typeof httpStatus;

export function isControlCode(code: string): code is ControlCode {
  return Object.hasOwn(httpStatus, code);
}

/** The body of every answer that is not a success. */
export interface ErrorBody {
  readonly error: { readonly code: ControlCode; readonly message: string };
}

/** The header of a stream has the newest sequence number: followers that name none begin after it. */
export const newestEventHeader = 'sallyport-newest-event';
