import { httpStatus, isControlCode } from '../../daemon/api/error-codes.ts';
import { type ClientCode, ControlError } from '../../daemon/client/client.ts';

/** The codes of control.sock, and those that only the portal uses. */
export type PortalCode = ClientCode | keyof typeof ownStatus;

const ownStatus = {
  /** There is no session, or it has ended. */
  'signed-out': 401,
  /** A change needs the password and a factor, entered within the last five minutes. */
  'confirm-needed': 403,
  /** The browser or its proxy uses an address that is not one of the portal's. */
  origin: 403,
  'too-many-attempts': 429,
  'daemon-unreachable': 503,
} as const;

/** An error that a page may read. The message never quotes the request. */
export class PortalError extends Error {
  readonly code: PortalCode;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: PortalCode,
    message: string,
    more: { readonly status?: number; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.name = 'PortalError';
    this.code = code;
    this.status = more.status ?? statusOf(code);
    this.headers = more.headers ?? {};
  }
}

function statusOf(code: PortalCode): number {
  return isControlCode(code) ? httpStatus[code] : ownStatus[code];
}

/** The body of every response that is not a success. */
export interface ErrorBody {
  readonly error: { readonly code: PortalCode; readonly message: string };
}

/** Maps anything thrown to what the browser may read. The details of unexpected errors stay in the log. */
export function toPortalError(error: unknown): PortalError {
  if (error instanceof PortalError) return error;
  if (error instanceof ControlError && error.code === 'daemon-unreachable')
    return new PortalError('daemon-unreachable', 'sallyportd does not answer the portal; try again shortly');
  // Errors of the daemon's validators, which the portal calls too, have another class.
  if (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    isControlCode(error.code)
  )
    return new PortalError(error.code, error.message);
  return new PortalError('internal', 'internal error of the portal; its log has the details');
}

export function signedOut(): PortalError {
  return new PortalError('signed-out', 'Your session has ended. Sign in again.');
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
