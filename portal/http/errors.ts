import { httpStatus, isControlCode } from '../../daemon/api/error-codes.ts';
import { type ClientCode, ControlError } from '../../daemon/client/client.ts';

/** The codes of control.sock, and what only the portal says. */
export type PortalCode = ClientCode | keyof typeof ownStatus;

const ownStatus = {
  /** Nobody is signed in here, or no longer. */
  'signed-out': 401,
  /** A change needs password and factor of the last five minutes. */
  'confirm-needed': 403,
  /** The browser, or what stands before it, comes under another address than the portal's own. */
  origin: 403,
  'too-many-tries': 429,
  'daemon-unreachable': 503,
} as const;

/** An error that a page may read. The message never holds what was sent. */
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

/** The body of every answer that is not a success. */
export interface ErrorBody {
  readonly error: { readonly code: PortalCode; readonly message: string };
}

/** What the browser hears of whatever was thrown. What nobody raised on purpose stays in the log. */
export function told(error: unknown): PortalError {
  if (error instanceof PortalError) return error;
  if (error instanceof ControlError && error.code === 'daemon-unreachable')
    return new PortalError(
      'daemon-unreachable',
      'sallyportd does not answer the portal; try again in a moment',
    );
  // Those of the daemon's own checks, which the portal asks too, are of a class that it does not know.
  if (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    isControlCode(error.code)
  )
    return new PortalError(error.code, error.message);
  return new PortalError('internal', 'something failed in the portal; its log says what');
}

export function signedOut(): PortalError {
  return new PortalError('signed-out', 'nobody is signed in here any more; sign in');
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
