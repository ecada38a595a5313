import { type ControlClient, createClient } from '../daemon/control/client.ts';
import { limits } from './limits.ts';
import { createTurns } from './turns.ts';

/** What the portal asks without anybody being signed in. */
export type AskedByNobody = Pick<
  ControlClient,
  'beginSignIn' | 'answerSignIn' | 'approval' | 'answerApproval' | 'denyApproval'
>;

/** What it asks with a person's token: sallyportd judges by whose it is, and how old. */
export type AskedByPerson = Pick<
  ControlClient,
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
  readonly nobody: AskedByNobody;
  person(token: string): AskedByPerson;
  following(token: string, signal: AbortSignal): FollowedByPerson;
}

/**
 * Over control.sock.
 *
 * What MUST hold: a token goes into the one header of the one request that it is for; no number of browsers
 * takes more connections of the daemon than it gives one uid.
 */
export function createPortalDaemon(socket: string): PortalDaemon {
  const turns = createTurns(limits.daemonCalls, limits.daemonQueue);
  const queued =
    <A extends readonly unknown[], T>(ask: (...parameters: A) => Promise<T>) =>
    (...parameters: A): Promise<T> =>
      turns.run(() => ask(...parameters));
  const nobody = createClient({ socket });
  return {
    nobody: {
      beginSignIn: queued(nobody.beginSignIn),
      answerSignIn: queued(nobody.answerSignIn),
      approval: queued(nobody.approval),
      answerApproval: queued(nobody.answerApproval),
      denyApproval: queued(nobody.denyApproval),
    },
    person(token) {
      const client = createClient({ socket, token });
      return {
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
