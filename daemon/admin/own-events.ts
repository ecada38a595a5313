import type { AuditEvent, StoredAuditEvent } from '../audit/event.ts';
import { limits } from '../limits.ts';
import type { Store } from '../store/contract.ts';

/** Which events of its name an account may read as its own. */
export interface OwnEvents {
  /** @returns the newest place that is not, or may not be, of the account as it is now; what comes later is */
  endOfOthers(account: string): Promise<number>;
}

/**
 * Events name an account and no uid: after an administrator has forgotten or moved a record, its name may be another
 * person's.
 *
 * Invariants:
 * - an account reads no event from before its name was forgotten, or a record left it or came to it;
 * - what is not looked through yet counts as another person's;
 * - the trail is looked through once, a stretch at a time, however many ask.
 */
export function createOwnEvents(store: Pick<Store, 'search' | 'follow'>): OwnEvents {
  const ends = new Map<string, number>();
  let unread = Number.POSITIVE_INFINITY;
  let first: Promise<void> | undefined;
  let isFollowing = false;

  const note = (event: StoredAuditEvent) => {
    if (endsOwnership(event)) ends.set(event.account, Math.max(event.seq, ends.get(event.account) ?? -1));
  };
  const read = async (from?: number): Promise<void> => {
    const page = await store.search({
      ...(from === undefined ? {} : { from }),
      fits: endsOwnership,
      limit: limits.pageSize,
      scan: limits.trailScan,
    });
    page.events.forEach(note);
    unread = page.next ?? -1;
    if (page.next !== undefined) later(page.next, limits.scrubPause);
  };
  const later = (from: number, pause: number) => {
    setTimeout(() => read(from).catch(() => later(from, limits.scrubDelay)), pause).unref();
  };

  return {
    async endOfOthers(account) {
      // Before the first stretch is read, so that no event falls between.
      if (!isFollowing) store.follow(note);
      isFollowing = true;
      first ??= read();
      try {
        await first;
      } catch (error) {
        first = undefined;
        throw error;
      }
      return Math.max(unread, ends.get(account) ?? -1);
    },
  };
}

/** A record that got the new uid of the same name stays that of the same person: an administrator said so. */
function endsOwnership({ kind, other }: AuditEvent): boolean {
  return kind === 'user-forgotten' || (kind === 'user-moved' && other !== undefined);
}
