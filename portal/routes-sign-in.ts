import type { SignInBody, SignInView } from '../daemon/control/sign-in-views.ts';
import { demandSession } from './asking.ts';
import { readAnswer, readConfirm, readNothing, readSignIn } from './bodies.ts';
import type { SessionView, SignInReply } from './contract.ts';
import type { AskedByNobody } from './daemon.ts';
import type { Call, Desk } from './desk.ts';
import { PortalError, signedOut, told } from './errors.ts';
import type { Handlers } from './routes.ts';
import type { Session } from './sessions.ts';

/** Signing in and out, and confirming before a change. */
export const signInRoutes = {
  // How a page asks whether somebody still is signed in: it prolongs nothing.
  'GET /api/session': async (desk, call) => sessionView(desk, call, call.session),

  'POST /api/sign-in': async (desk, call) => begin(desk, call, readSignIn(await call.body())),

  'POST /api/sign-in/:id': async (desk, call) => {
    const answer = readAnswer(await call.body());
    return settle(desk, call, () => desk.daemon.nobody.answerSignIn(call.parameters.id ?? '', answer));
  },

  'POST /api/confirm': async (desk, call) => {
    const proof = readConfirm(await call.body());
    const { person, token } = demandSession(call);
    const user = person.account;
    return begin(
      desk,
      call,
      'link' in proof ? { user, by: 'link', ...proof } : { user, by: 'password', ...proof },
      // With the token it waits for no sign-in of a stranger.
      desk.daemon.person(token.token),
    );
  },

  'POST /api/sign-out': async (desk, call) => {
    readNothing(await call.body());
    if (call.session !== undefined) desk.sessions.end(call.session, 'signed-out');
    call.keep(undefined);
    return { done: true };
  },
} satisfies Partial<Handlers>;

function begin(
  desk: Desk,
  call: Call,
  body: SignInBody,
  by: Pick<AskedByNobody, 'beginSignIn'> = desk.daemon.nobody,
): Promise<SignInReply> {
  desk.tries.signIns.take(call.source);
  return settle(desk, call, () =>
    by.beginSignIn({
      ...body,
      ...(call.source === undefined ? {} : { source: call.source }),
    }),
  );
}

/**
 * What MUST hold: a try counts as a wrong one until the daemon says that it was right; the daemon's token goes
 * into a new session under a new id, and no further; whoever had a session here before has it no more.
 */
async function settle(desk: Desk, call: Call, ask: () => Promise<SignInView>): Promise<SignInReply> {
  desk.tries.wrong.take(call.source);
  const { id, step } = await ask().catch((error: unknown) => {
    // That sallyportd is away is nobody's wrong try.
    if (told(error).status >= 500) desk.tries.wrong.giveBack(call.source);
    throw error;
  });
  switch (step.kind) {
    case 'factor':
      if (step.text === undefined) desk.tries.wrong.giveBack(call.source);
      return { id, step };
    case 'done': {
      desk.tries.wrong.giveBack(call.source);
      const cookie = desk.sessions.begin(step.person, step.token, call.session);
      call.keep(cookie);
      const session = desk.sessions.find(cookie);
      if (session === undefined) throw signedOut();
      const text = step.text === undefined ? {} : { text: step.text };
      return { id, step: { kind: 'done', session: sessionView(desk, call, session), ...text } };
    }
    case 'link':
      throw new PortalError('internal', 'sallyportd gave a link where a sign-in was asked for');
  }
}

function sessionView(desk: Desk, call: Call, session: Session | undefined): SessionView {
  const site = { name: desk.site.name, host: call.at.hostname, rpId: desk.site.rpId };
  if (session === undefined) return { person: null, site };
  const { changesUntil, readsUntil } = session.token;
  return {
    person: session.person,
    changesUntil,
    readsUntil: Math.min(readsUntil, desk.clock.now() + Math.round(desk.sessions.left(session))),
    site,
  };
}
