import { setTimeout as wait } from 'node:timers/promises';
import { ControlError } from '../daemon/client/client.ts';
import type { ApprovalEvent } from '../daemon/client/sign-in-client.ts';
import { isTokenNeeded } from './authorised-calls.ts';
import type { ServerContext } from './context.ts';
import type { LiveMessage } from './contract.ts';
import { messageOf } from './http/errors.ts';
import { limits } from './limits.ts';
import type { Session } from './sessions.ts';

/** A page that wants to hear. */
export interface Listener {
  tell(message: LiveMessage): void;
}

/** What sallyportd has to tell in one session, to all pages of it: one stream of a kind, however many pages. */
export interface Feed {
  join(listener: Listener): void;
  leave(listener: Listener): void;
  /** For administrators: the audit trail too. */
  followAudit(listener: Listener): void;
  close(): void;
}

/**
 * What MUST hold: a feed asks with its session's own token and tells that session's pages alone; when the
 * daemon knows the token no more, the session is over.
 */
export function createFeed(context: ServerContext, session: Session): Feed {
  const listeners = new Set<Listener>();
  const auditors = new Set<Listener>();
  /** Told to who comes later. */
  const waiting = new Map<string, LiveMessage>();
  const ending = new AbortController();
  const { signal } = ending;
  const following = context.daemon.following(session.token.token, signal);
  let audited = false;
  let seen: number | undefined;

  const all = (message: LiveMessage): void => {
    for (const listener of listeners) listener.tell(message);
  };
  const onApproval = (event: ApprovalEvent): void => {
    if (event.kind === 'approval') waiting.set(event.approval.id, event);
    else waiting.delete(event.id);
    all(event);
  };
  const forget = (): void => {
    for (const id of [...waiting.keys()]) onApproval({ kind: 'approval-over', id });
  };

  void keepUp(context, session, signal, async () => {
    // A stream that begins tells what waits now.
    forget();
    for await (const event of following.followApprovals(session.person.account)) onApproval(event);
  });

  return {
    join(listener) {
      listeners.add(listener);
      for (const message of waiting.values()) listener.tell(message);
    },
    leave(listener) {
      listeners.delete(listener);
      auditors.delete(listener);
    },
    followAudit(listener) {
      if (!session.person.admin) return;
      auditors.add(listener);
      if (audited) return;
      audited = true;
      void keepUp(context, session, signal, async () => {
        for await (const event of following.follow(seen === undefined ? {} : { from: seen })) {
          seen = event.seq;
          for (const auditor of auditors) auditor.tell({ kind: 'audit', event });
        }
      });
    },
    close: () => ending.abort(),
  };
}

/** Follows, and again when the daemon was away, until the signal. */
async function keepUp(
  context: ServerContext,
  session: Session,
  signal: AbortSignal,
  follow: () => Promise<void>,
): Promise<void> {
  let pause: number = limits.daemonPauseLeast;
  while (!signal.aborted) {
    const began = context.clock.monotonic();
    try {
      await follow();
    } catch (error) {
      if (signal.aborted) return;
      if (isTokenNeeded(error)) {
        context.sessions.end(session, 'token-gone');
        return;
      }
      const code = error instanceof ControlError ? error.code : 'internal';
      context.log.warning('follow-failed', { code, message: messageOf(error) });
      // Asking again would not change it.
      if (code === 'not-permitted' || code === 'no-such-operation') return;
    }
    if (context.clock.monotonic() - began > limits.daemonPauseMost) pause = limits.daemonPauseLeast;
    await wait(pause, undefined, { signal, ref: false }).catch(() => undefined);
    pause = Math.min(2 * pause, limits.daemonPauseMost);
  }
}
