import type { AuditEvent, StoredAuditEvent } from '../audit/event.ts';
import { limits } from '../limits.ts';
import type { Store } from '../store/contract.ts';

/** Which events of its name an account may read. */
export interface OwnEvents {
  /**
   * @returns the newest sequence number that does not, or may not, belong to the account as it is now; later ones do
   */
  endOfOthers(account: string): Promise<number>;
}

/**
 * Events name an account, not a uid: after an administrator has forgotten or moved a record, another user may have the
 * name. Invariants:
 * - an account reads no event from before its record was forgotten, moved away or moved to it;
 * - unsearched events count as another user's;
 * - the trail is searched once, in ranges, however many callers ask.
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
      // Before the first range is read, so that no event is missed in between.
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

/** A record moved to the new uid of the same name still belongs to the same user: an administrator confirmed it. */
function endsOwnership({ kind, other }: AuditEvent): boolean {
  return kind === 'user-forgotten' || (kind === 'user-moved' && other !== undefined);
}
