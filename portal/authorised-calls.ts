import { ControlError } from '../daemon/client/client.ts';
import type { ApiRequest, ServerContext } from './context.ts';
import type { UserClient } from './daemon.ts';
import { PortalError, signedOut } from './http/errors.ts';
import type { Session } from './sessions.ts';

/**
 * Questions in somebody's name.
 *
 * What MUST hold: sallyportd alone says what a token is good for, each time. One that it does not know any
 * more ends the session here too; one that is only too old for a change leads to /api/confirm.
 */

export function requireSession(call: ApiRequest): Session {
  if (call.session === undefined) throw signedOut();
  return call.session;
}

/** @throws PortalError signed-out; whatever the daemon says */
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

/** @throws PortalError signed-out, confirm-needed; whatever the daemon says */
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
    // Too old for changes, or gone? Reading one's own account tells.
    await person.user(session.person.account);
  } catch (error) {
    if (isTokenNeeded(error)) throw tokenGone(context, session);
    throw error;
  }
  throw new PortalError(
    'confirm-needed',
    'a change needs your password and second factor of the last five minutes',
  );
}

export function isTokenNeeded(error: unknown): boolean {
  return error instanceof ControlError && error.code === 'token-needed';
}

function tokenGone(context: ServerContext, session: Session): PortalError {
  context.sessions.end(session, 'token-gone');
  return signedOut();
}
