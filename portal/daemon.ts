import { type ControlClient, createClient } from '../daemon/client/client.ts';
import { networkKey } from '../daemon/lib/network-key.ts';
import { createRequestQueue, type RequestQueue } from './http/request-queue.ts';
import { limits } from './limits.ts';

/** What the portal asks without anybody being signed in. */
export type AnonymousClient = Pick<
  ControlClient,
  'beginSignIn' | 'answerSignIn' | 'approval' | 'answerApproval' | 'denyApproval'
>;

/** What it asks with a person's token: sallyportd judges by whose it is, and how old. */
export type UserClient = Pick<
  ControlClient,
  | 'beginSignIn'
  | 'endToken'
  | 'user'
  | 'users'
  | 'unlock'
  | 'giveBypass'
  | 'invite'
  | 'audit'
  | 'addFactor'
  | 'renameFactor'
  | 'enableFactor'
  | 'disableFactor'
  | 'removeFactor'
  | 'beginKey'
  | 'finishKey'
>;

/** Streams of a person, until the signal. */
export type FollowedByPerson = Pick<ControlClient, 'followApprovals' | 'follow'>;

/** sallyportd, as the portal knows it. Everything may throw a ControlError. */
export interface PortalDaemon {
  readonly nobody: AnonymousClient;
  /** Without a session, under a name that signed in from there before. @param party what it is counted by */
  familiar(party: string): Pick<AnonymousClient, 'beginSignIn'>;
  person(token: string): UserClient;
  following(token: string, signal: AbortSignal): FollowedByPerson;
}

/**
 * Over control.sock.
 *
 * What MUST hold: a token goes into the one header of the one request that it is for; no number of browsers
 * takes more connections of the daemon than it gives one uid; what is asked by signed-in persons, and by who signed in
 * from there before, waits for nothing that strangers ask, and one address does not take the queue of the others.
 */
export function createPortalDaemon(socket: string): PortalDaemon {
  const beginning = createRequestQueue(limits.beginCalls);
  const familiar = createRequestQueue(limits.familiarCalls);
  const open = createRequestQueue(limits.openCalls);
  const ofPersons = createRequestQueue(limits.personCalls);
  const queuedIn =
    (turns: RequestQueue, owner: string) =>
    <A extends readonly unknown[], T>(ask: (...parameters: A) => Promise<T>) =>
    (...parameters: A): Promise<T> =>
      turns.run(owner, () => ask(...parameters));
  const nobody = createClient({ socket });
  const queuedOpen = queuedIn(open, '');
  return {
    nobody: {
      beginSignIn: (body) =>
        beginning.run(networkKey(body.source ?? 'unknown'), () => nobody.beginSignIn(body)),
      answerSignIn: queuedOpen(nobody.answerSignIn),
      approval: queuedOpen(nobody.approval),
      answerApproval: queuedOpen(nobody.answerApproval),
      denyApproval: queuedOpen(nobody.denyApproval),
    },
    familiar: (party) => ({ beginSignIn: queuedIn(familiar, party)(nobody.beginSignIn) }),
    person(token) {
      const client = createClient({ socket, token });
      const queued = queuedIn(ofPersons, token);
      return {
        beginSignIn: queued(client.beginSignIn),
        endToken: queued(client.endToken),
        user: queued(client.user),
        users: queued(client.users),
        unlock: queued(client.unlock),
        giveBypass: queued(client.giveBypass),
        invite: queued(client.invite),
        audit: queued(client.audit),
        addFactor: queued(client.addFactor),
        renameFactor: queued(client.renameFactor),
        enableFactor: queued(client.enableFactor),
        disableFactor: queued(client.disableFactor),
        removeFactor: queued(client.removeFactor),
        beginKey: queued(client.beginKey),
        finishKey: queued(client.finishKey),
      };
    },
    following: (token, signal) => createClient({ socket, token, signal }),
  };
}
