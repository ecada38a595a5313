import type { SignInBody, SignInView } from '../daemon/api/sign-in-views.ts';
import { requireSession } from './authorised-calls.ts';
import type { ApiRequest, Handlers, ServerContext } from './context.ts';
import type { SessionView, SignInReply } from './contract.ts';
import type { AnonymousClient } from './daemon.ts';
import { PortalError, signedOut, told } from './http/errors.ts';
import { readAnswer, readConfirm, readNothing, readSignIn } from './http/request-schemas.ts';
import type { Session } from './sessions.ts';

/** Signing in and out, and confirming before a change. */
export const signInRoutes = {
  // How a page asks whether somebody still is signed in: it prolongs nothing.
  'GET /api/session': async (context, call) => sessionView(context, call, call.session),

  'POST /api/sign-in': async (context, call) => {
    const body = readSignIn(await call.body());
    const party = context.familiar.partyOf(call.source, body.user);
    const by = party === undefined ? context.daemon.nobody : context.daemon.familiar(party);
    return begin(context, call, body, by, party ?? call.source);
  },

  'POST /api/sign-in/:id': async (context, call) => {
    const answer = readAnswer(await call.body());
    const id = call.parameters.id ?? '';
    const party = context.familiar.partyOfSignIn(id) ?? call.source;
    const ended = call.ended();
    return settle(context, call, party, () => context.daemon.nobody.answerSignIn(id, answer, ended), ended);
  },

  'POST /api/confirm': async (context, call) => {
    const proof = readConfirm(await call.body());
    const { person, token } = requireSession(call);
    const user = person.account;
    return begin(
      context,
      call,
      'link' in proof ? { user, by: 'link', ...proof } : { user, by: 'password', ...proof },
      // With the token it waits for no sign-in of a stranger.
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
  context.tries.signIns.take(party);
  return settle(context, call, party, async () => {
    const view = await by.beginSignIn({
      ...body,
      ...(call.source === undefined ? {} : { source: call.source }),
    });
    // A link names its account to the daemon only.
    if (view.step.kind === 'factor')
      context.familiar.began(view.id, call.source, body.by === 'link' ? view.id : body.user);
    return view;
  });
}

/**
 * What MUST hold: a try counts as a wrong one until the daemon says that it was right; the daemon's token goes
 * into a new session under a new id, and no further; whoever had a session here before has it no more.
 * @param party under which tries are counted
 * @param ended of the request: a try that the browser ended counts as a wrong one
 */
async function settle(
  context: ServerContext,
  call: ApiRequest,
  party: string | undefined,
  ask: () => Promise<SignInView>,
  ended?: AbortSignal,
): Promise<SignInReply> {
  const { wrong } = context.tries;
  wrong.take(party);
  const { id, step } = await ask().catch((error: unknown) => {
    // That sallyportd is away is nobody's wrong try.
    if (told(error).status >= 500 && ended?.aborted !== true) wrong.giveBack(party);
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
      throw new PortalError('internal', 'sallyportd gave a link where a sign-in was asked for');
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
