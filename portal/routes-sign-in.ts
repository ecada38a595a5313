import type { SignInBody, SignInView } from '../daemon/api/sign-in-views.ts';
import { requireSession } from './authorised-calls.ts';
import type { ApiRequest, Handlers, ServerContext } from './context.ts';
import type { SessionView, SignInReply } from './contract.ts';
import type { AnonymousClient } from './daemon.ts';
import { PortalError, signedOut, toPortalError } from './http/errors.ts';
import { readAnswer, readConfirm, readNothing, readSignIn } from './http/request-schemas.ts';
import type { Session } from './sessions.ts';

/** Signing in and out, and confirming before a change. */
export const signInRoutes = {
  // For pages that check whether the session still runs: it does not prolong it.
  'GET /api/session': async (context, call) => sessionView(context, call, call.session),

  'POST /api/sign-in': async (context, call) => {
    const body = readSignIn(await call.body());
    const party = context.familiar.partyOf(call.source, body.user);
    const by = party === undefined ? context.daemon.anonymous : context.daemon.familiar(party);
    return begin(context, call, body, by, party ?? call.source);
  },

  'POST /api/sign-in/:id': async (context, call) => {
    const answer = readAnswer(await call.body());
    const id = call.parameters.id ?? '';
    const party = context.familiar.partyOfSignIn(id) ?? call.source;
    const ended = call.ended();
    return settle(
      context,
      call,
      party,
      () => context.daemon.anonymous.answerSignIn(id, answer, ended),
      ended,
    );
  },

  'POST /api/confirm': async (context, call) => {
    const proof = readConfirm(await call.body());
    const { person, token } = requireSession(call);
    const user = person.account;
    return begin(
      context,
      call,
      'link' in proof ? { user, by: 'link', ...proof } : { user, by: 'password', ...proof },
      // Called with the token, so that it never waits for sign-ins of strangers.
      context.daemon.person(token.token),
      context.familiar.sessionParty(call.source, user),
    );
  },

  'POST /api/sign-out': async (context, call) => {
    readNothing(await call.body());
    if (call.session !== undefined) context.sessions.end(call.session, 'signed-out');
    call.keep(undefined);
    return { done: true };
  },
} satisfies Partial<Handlers>;

function begin(
  context: ServerContext,
  call: ApiRequest,
  body: SignInBody,
  by: Pick<AnonymousClient, 'beginSignIn'>,
  party: string | undefined,
): Promise<SignInReply> {
  context.rateLimits.signIns.take(party);
  return settle(context, call, party, async () => {
    const view = await by.beginSignIn({
      ...body,
      ...(call.source === undefined ? {} : { source: call.source }),
    });
    // Only the daemon knows the account of a link.
    if (view.step.kind === 'factor')
      context.familiar.began(view.id, call.source, body.by === 'link' ? view.id : body.user);
    return view;
  });
}

/**
 * Invariants: an attempt counts as wrong until the daemon has accepted it; the daemon's token goes only into a new
 * session under a new ID; a session that this browser had before ends.
 * @param party what attempts count for
 * @param ended of the request: an attempt that the browser cut off counts as wrong
 */
async function settle(
  context: ServerContext,
  call: ApiRequest,
  party: string | undefined,
  ask: () => Promise<SignInView>,
  ended?: AbortSignal,
): Promise<SignInReply> {
  const { wrong } = context.rateLimits;
  wrong.take(party);
  const { id, step } = await ask().catch((error: unknown) => {
    // An unreachable sallyportd is not a wrong attempt.
    if (toPortalError(error).status >= 500 && ended?.aborted !== true) wrong.giveBack(party);
    throw error;
  });
  switch (step.kind) {
    case 'factor':
      if (step.text === undefined) wrong.giveBack(party);
      return { id, step };
    case 'done': {
      wrong.giveBack(party);
      context.familiar.signedIn(call.source, step.person.account);
      const cookie = context.sessions.begin(step.person, step.token, call.session);
      call.keep(cookie);
      const session = context.sessions.find(cookie);
      if (session === undefined) throw signedOut();
      const text = step.text === undefined ? {} : { text: step.text };
      return { id, step: { kind: 'done', session: sessionView(context, call, session), ...text } };
    }
    case 'link':
      throw new PortalError('internal', 'sallyportd returned a link instead of a sign-in');
  }
}

function sessionView(context: ServerContext, call: ApiRequest, session: Session | undefined): SessionView {
  const site = { name: context.site.name, host: call.at.hostname, rpId: context.site.rpId };
  if (session === undefined) return { person: null, site };
  const { changesUntil, readsUntil } = session.token;
  return {
    person: session.person,
    changesUntil,
    readsUntil: Math.min(readsUntil, context.clock.now() + Math.round(context.sessions.left(session))),
    site,
  };
}
