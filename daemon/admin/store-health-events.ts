import type { StoredAuditEvent } from '../audit/event.ts';
import { limits } from '../limits.ts';
import type { StoreHealth } from '../store/contract.ts';

type Listener = (event: StoredAuditEvent) => void;
type Reason = 'unwritable' | 'writable-again' | 'damage-found';

/**
 * The health of the store, as events for followers: an unwritable store cannot keep such events. Checked once a second
 * and only while there are followers; a new follower receives an existing problem at once.
 *
 * @returns a function that subscribes and returns one that unsubscribes
 */
export function createTroubles(
  health: () => StoreHealth,
  now: () => number,
): (listener: Listener) => () => void {
  const listeners = new Set<Listener>();
  let timer: NodeJS.Timeout | undefined;
  let wasWritable = true;
  let found = 0;

  const eventOf = (reason: Reason): StoredAuditEvent => ({
    seq: 0,
    kind: 'store',
    outcome: reason === 'writable-again' ? 'done' : 'error',
    at: now(),
    account: '',
    reason,
  });
  const look = (): void => {
    const { state, scrub } = health();
    const isWritable = state !== 'unwritable';
    const reasons: readonly Reason[] = [
      ...(isWritable === wasWritable
        ? []
        : [isWritable ? ('writable-again' as const) : ('unwritable' as const)]),
      ...(scrub.findings.length > found ? ['damage-found' as const] : []),
    ];
    wasWritable = isWritable;
    found = scrub.findings.length;
    for (const reason of reasons) for (const listener of listeners) listener(eventOf(reason));
  };

  return (listener) => {
    look();
    listeners.add(listener);
    if (!wasWritable) listener(eventOf('unwritable'));
    if (found > 0) listener(eventOf('damage-found'));
    timer ??= setInterval(look, limits.troubleCheck).unref();
    return () => {
      listeners.delete(listener);
      if (listeners.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    };
  };
}
