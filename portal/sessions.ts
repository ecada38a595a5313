import { createHash, randomBytes } from 'node:crypto';
import type { PersonView, TokenView } from '../daemon/api/sign-in-views.ts';
import { withDeadline } from '../daemon/lib/deadline.ts';
import type { limits } from './limits.ts';

/** A portal session: a signed-in user. */
export interface Session {
  readonly person: PersonView;
  readonly token: TokenView;
}

/** renewed: the same user signed in again in the same browser, and a new session replaced this one. */
export type SessionEnd = 'signed-out' | 'expired' | 'token-gone' | 'renewed' | 'gave-way' | 'stopping';

export interface Sessions {
  /**
   * Begins a new session under a new ID, whatever the browser had before.
   * @param replaces the session that the browser had: it ends
   * @returns the ID, for the cookie
   */
  begin(person: PersonView, token: TokenView, replaces?: Session): string;
  /** The session of an ID, unless it has ended. Does not prolong it. */
  find(id: string | undefined): Session | undefined;
  /** Restarts the idle time after a call in this session. */
  use(session: Session): void;
  end(session: Session, why: SessionEnd): void;
  isOver(session: Session): boolean;
  /** Milliseconds left at most, however much it is used. */
  left(session: Session): number;
  /** @returns a function that unsubscribes */
  onEnd(session: Session, listener: (why: SessionEnd) => void): () => void;
  count(): number;
  sweep(): void;
  close(): Promise<void>;
}

type LimitName = 'sessions' | 'sessionsPerAccount' | 'sessionIdle' | 'sessionLife' | 'farewell';

export interface SessionOptions {
  readonly limits: { readonly [Name in LimitName]: (typeof limits)[Name] | number };
  readonly monotonic: () => number;
  /** Revokes a token at the daemon. */
  readonly endToken: (token: string) => Promise<void>;
}

/** 256 bits. */
const idBytes = 32;

interface Entry {
  readonly session: Session;
  readonly key: string;
  readonly begun: number;
  used: number;
  readonly listeners: Set<(why: SessionEnd) => void>;
}

/**
 * The portal sessions. Only in memory: a restart of the portal signs every user out.
 *
 * Invariants:
 * - each sign-in makes a new random ID; an ID that a browser brought is never adopted;
 * - only its hash is kept, so that the table's content is no cookie;
 * - a session ends after 15 idle minutes and after 8 hours by the monotonic clock, here and at the daemon;
 * - it holds only a token and its owner; the number is bounded, in all and for each account.
 */
export function createSessions({ limits: limit, monotonic, endToken }: SessionOptions): Sessions {
  const byKey = new Map<string, Entry>();
  const bySession = new Map<Session, Entry>();
  const farewells = new Set<Promise<void>>();

  const isPast = (entry: Entry, now: number): boolean =>
    now - entry.used >= limit.sessionIdle || now - entry.begun >= limit.sessionLife;

  const end = (session: Session, why: SessionEnd): void => {
    const entry = bySession.get(session);
    if (entry === undefined) return;
    bySession.delete(session);
    byKey.delete(entry.key);
    for (const listener of entry.listeners) listener(why);
    if (why === 'token-gone') return;
    // If the daemon is unreachable, the token expires there.
    const farewell = endToken(session.token.token)
      .catch(() => undefined)
      .finally(() => farewells.delete(farewell));
    farewells.add(farewell);
  };

  const makeRoom = (account: string): void => {
    const own = [...bySession.values()].filter(({ session }) => session.person.account === account);
    if (own.length >= limit.sessionsPerAccount) end(longestIdle(own), 'gave-way');
    if (bySession.size >= limit.sessions) end(longestIdle([...bySession.values()]), 'gave-way');
  };

  const sweep = (): void => {
    const now = monotonic();
    for (const entry of [...bySession.values()]) if (isPast(entry, now)) end(entry.session, 'expired');
  };

  return {
    begin(person, token, replaces) {
      if (replaces !== undefined)
        end(replaces, replaces.person.account === person.account ? 'renewed' : 'signed-out');
      makeRoom(person.account);
      const id = randomBytes(idBytes).toString('base64url');
      const now = monotonic();
      const session: Session = { person, token };
      const entry: Entry = { session, key: keyOf(id), begun: now, used: now, listeners: new Set() };
      byKey.set(entry.key, entry);
      bySession.set(session, entry);
      return id;
    },
    find(id) {
      if (id === undefined) return undefined;
      const entry = byKey.get(keyOf(id));
      if (entry === undefined) return undefined;
      if (!isPast(entry, monotonic())) return entry.session;
      end(entry.session, 'expired');
      return undefined;
    },
    use(session) {
      const entry = bySession.get(session);
      if (entry !== undefined) entry.used = monotonic();
    },
    end,
    isOver(session) {
      const entry = bySession.get(session);
      return entry === undefined || isPast(entry, monotonic());
    },
    left(session) {
      const entry = bySession.get(session);
      return entry === undefined ? 0 : Math.max(0, entry.begun + limit.sessionLife - monotonic());
    },
    onEnd(session, listener) {
      const listeners = bySession.get(session)?.listeners;
      listeners?.add(listener);
      return () => void listeners?.delete(listener);
    },
    count: () => bySession.size,
    sweep,
    async close() {
      for (const session of [...bySession.keys()]) end(session, 'stopping');
      await withDeadline(Promise.all(farewells), limit.farewell, () => undefined);
    },
  };
}

function longestIdle(entries: readonly Entry[]): Session {
  return entries.reduce((a, b) => (b.used < a.used ? b : a)).session;
}

function keyOf(id: string): string {
  return createHash('sha256').update(id).digest('base64');
}
