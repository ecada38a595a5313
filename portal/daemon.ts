import { type ControlClient, createClient } from '../daemon/client/client.ts';
import { networkKey } from '../daemon/lib/network-key.ts';
import { createRequestQueue, type RequestQueue } from './http/request-queue.ts';
import { limits } from './limits.ts';

/** Calls that the portal makes without a session. */
export type AnonymousClient = Pick<
  ControlClient,
  'beginSignIn' | 'answerSignIn' | 'approval' | 'answerApproval' | 'denyApproval'
>;

/** Calls with a user's access token: sallyportd decides by its owner and its age. */
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

/** Streams of a user, until the signal. */
export type FollowedByPerson = Pick<ControlClient, 'followApprovals' | 'follow'>;

/** sallyportd, as the portal sees it. Every call may throw a ControlError. */
export interface PortalDaemon {
  readonly anonymous: AnonymousClient;
  /**
   * Without a session, for an account that signed in from this network before. @param party what its attempts count for
   */
  familiar(party: string): Pick<AnonymousClient, 'beginSignIn'>;
  person(token: string): UserClient;
  following(token: string, signal: AbortSignal): FollowedByPerson;
  /** Which settings this portal has read. */
  reportSettings(digest: string): Promise<void>;
}

/**
 * Over control.sock.
 *
 * Invariants: a token is sent only in the header of the request that it is for; browsers together never take more
 * connections of the daemon than it allows one uid; calls of signed-in users, and of accounts that signed in from the
 * same network before, never wait for calls of strangers, and one address cannot fill the queue of the others.
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
  const anonymous = createClient({ socket });
  const queuedOpen = queuedIn(open, '');
  return {
    anonymous: {
      beginSignIn: (body) =>
        beginning.run(networkKey(body.source ?? 'unknown'), () => anonymous.beginSignIn(body)),
      answerSignIn: queuedOpen(anonymous.answerSignIn),
      approval: queuedOpen(anonymous.approval),
      answerApproval: queuedOpen(anonymous.answerApproval),
      denyApproval: queuedOpen(anonymous.denyApproval),
    },
    familiar: (party) => ({ beginSignIn: queuedIn(familiar, party)(anonymous.beginSignIn) }),
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
    reportSettings: anonymous.reportSettings,
    following: (token, signal) => createClient({ socket, token, signal }),
  };
}
