import { setTimeout as wait } from 'node:timers/promises';
import { ControlError } from '../daemon/client/client.ts';
import type { ApprovalEvent } from '../daemon/client/sign-in-client.ts';
import { isTokenNeeded } from './authorised-calls.ts';
import type { ServerContext } from './context.ts';
import type { LiveMessage } from './contract.ts';
import { messageOf } from './http/errors.ts';
import { limits } from './limits.ts';
import type { Session } from './sessions.ts';

/** A page that receives events. */
export interface Listener {
  tell(message: LiveMessage): void;
}

/** The events of one session for all its pages: one stream per kind, however many pages there are. */
export interface Feed {
  join(listener: Listener): void;
  leave(listener: Listener): void;
  /** For administrators: the audit trail too. */
  followAudit(listener: Listener): void;
  close(): void;
}

/**
 * Invariants: a feed uses its session's access token and serves only that session's pages; when the daemon no longer
 * knows the token, the session ends.
 */
export function createFeed(context: ServerContext, session: Session): Feed {
  const listeners = new Set<Listener>();
  const auditors = new Set<Listener>();
  /** Sent to pages that connect later. */
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
    // A new stream starts with the approvals that are open now.
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

/** Follows, and reconnects after the daemon was unreachable, until the signal. */
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
      // A retry would give the same error.
      if (code === 'not-permitted' || code === 'no-such-operation') return;
    }
    if (context.clock.monotonic() - began > limits.daemonPauseMost) pause = limits.daemonPauseLeast;
    await wait(pause, undefined, { signal, ref: false }).catch(() => undefined);
    pause = Math.min(2 * pause, limits.daemonPauseMost);
  }
}
