import { ControlError } from '../daemon/client/client.ts';
import type { ApiRequest, ServerContext } from './context.ts';
import type { UserClient } from './daemon.ts';
import { PortalError, signedOut } from './http/errors.ts';
import type { Session } from './sessions.ts';

/**
 * Calls to sallyportd with a session's access token.
 *
 * Invariants: sallyportd decides for each call what a token permits. A token that it no longer knows ends the portal
 * session too; one that is only too old for a change leads to /api/confirm.
 */

export function requireSession(call: ApiRequest): Session {
  if (call.session === undefined) throw signedOut();
  return call.session;
}

/** @throws PortalError signed-out; any error of the daemon */
export async function readAs<T>(
  context: ServerContext,
  call: ApiRequest,
  ask: (person: UserClient) => Promise<T>,
): Promise<T> {
  const session = requireSession(call);
  try {
    const answer = await ask(context.daemon.person(session.token.token));
    context.sessions.use(session);
    return answer;
  } catch (error) {
    if (!isTokenNeeded(error)) throw error;
    throw tokenGone(context, session);
  }
}

/** @throws PortalError signed-out, confirm-needed; any error of the daemon */
export async function changeAs<T>(
  context: ServerContext,
  call: ApiRequest,
  ask: (person: UserClient) => Promise<T>,
): Promise<T> {
  const session = requireSession(call);
  const person = context.daemon.person(session.token.token);
  try {
    const answer = await ask(person);
    context.sessions.use(session);
    return answer;
  } catch (error) {
    if (!isTokenNeeded(error)) throw error;
  }
  try {
    // Too old for changes, or unknown? Reading the user's own account answers that.
    await person.user(session.person.account);
  } catch (error) {
    if (isTokenNeeded(error)) throw tokenGone(context, session);
    throw error;
  }
  throw new PortalError(
    'confirm-needed',
    'a change needs your password and second factor, entered within the last five minutes',
  );
}

export function isTokenNeeded(error: unknown): boolean {
  return error instanceof ControlError && error.code === 'token-needed';
}

function tokenGone(context: ServerContext, session: Session): PortalError {
  context.sessions.end(session, 'token-gone');
  return signedOut();
}
