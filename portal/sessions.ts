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
export function createSessions(options: SessionOptions): Sessions {
  return new SessionTable(options);
}

class SessionTable implements Sessions {
  readonly #limits: SessionOptions['limits'];
  readonly #monotonic: () => number;
  readonly #endToken: SessionOptions['endToken'];
  readonly #byKey = new Map<string, Entry>();
  readonly #bySession = new Map<Session, Entry>();
  readonly #farewells = new Set<Promise<void>>();

  constructor({ limits, monotonic, endToken }: SessionOptions) {
    this.#limits = limits;
    this.#monotonic = monotonic;
    this.#endToken = endToken;
  }

  begin(person: PersonView, token: TokenView, replaces?: Session): string {
    if (replaces !== undefined)
      this.end(replaces, replaces.person.account === person.account ? 'renewed' : 'signed-out');
    this.#makeRoom(person.account);
    const id = randomBytes(idBytes).toString('base64url');
    const now = this.#monotonic();
    const session: Session = { person, token };
    const entry: Entry = { session, key: keyOf(id), begun: now, used: now, listeners: new Set() };
    this.#byKey.set(entry.key, entry);
    this.#bySession.set(session, entry);
    return id;
  }

  find(id: string | undefined): Session | undefined {
    if (id === undefined) return undefined;
    const entry = this.#byKey.get(keyOf(id));
    if (entry === undefined) return undefined;
    if (!this.#isPast(entry)) return entry.session;
    this.end(entry.session, 'expired');
    return undefined;
  }

  use(session: Session): void {
    const entry = this.#bySession.get(session);
    if (entry !== undefined) entry.used = this.#monotonic();
  }

  end(session: Session, why: SessionEnd): void {
    const entry = this.#bySession.get(session);
    if (entry === undefined) return;
    this.#bySession.delete(session);
    this.#byKey.delete(entry.key);
    for (const listener of entry.listeners) listener(why);
    if (why === 'token-gone') return;
    // If the daemon is unreachable, the token expires there.
    const farewell = this.#endToken(session.token.token)
      .catch(() => undefined)
      .finally(() => this.#farewells.delete(farewell));
    this.#farewells.add(farewell);
  }

  isOver(session: Session): boolean {
    const entry = this.#bySession.get(session);
    return entry === undefined || this.#isPast(entry);
  }

  left(session: Session): number {
    const entry = this.#bySession.get(session);
    return entry === undefined ? 0 : Math.max(0, entry.begun + this.#limits.sessionLife - this.#monotonic());
  }

  onEnd(session: Session, listener: (why: SessionEnd) => void): () => void {
    const listeners = this.#bySession.get(session)?.listeners;
    listeners?.add(listener);
    return () => void listeners?.delete(listener);
  }

  count(): number {
    return this.#bySession.size;
  }

  sweep(): void {
    for (const entry of [...this.#bySession.values()])
      if (this.#isPast(entry)) this.end(entry.session, 'expired');
  }

  async close(): Promise<void> {
    for (const session of [...this.#bySession.keys()]) this.end(session, 'stopping');
    await withDeadline(Promise.all(this.#farewells), this.#limits.farewell, () => undefined);
  }

  #isPast(entry: Entry): boolean {
    const now = this.#monotonic();
    return now - entry.used >= this.#limits.sessionIdle || now - entry.begun >= this.#limits.sessionLife;
  }

  #makeRoom(account: string): void {
    const own = [...this.#bySession.values()].filter(({ session }) => session.person.account === account);
    if (own.length >= this.#limits.sessionsPerAccount) this.end(longestIdle(own), 'gave-way');
    if (this.#bySession.size >= this.#limits.sessions)
      this.end(longestIdle([...this.#bySession.values()]), 'gave-way');
  }
}

function longestIdle(entries: readonly Entry[]): Session {
  return entries.reduce((a, b) => (b.used < a.used ? b : a)).session;
}

function keyOf(id: string): string {
  return createHash('sha256').update(id).digest('base64');
}
