import type { DaemonFrame, ModuleFrame } from '../protocol/login.ts';
import type { PasswordHelper } from './passwords.ts';
import type { FidoHelper } from './security-keys.ts';

export type * from './passwords.ts';
export type * from './security-keys.ts';

/** An account as NSS knows it. */
export interface Account {
  /** pw_name: the one canonical name for look-ups, counters, policy and audit. */
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** unresolved: NSS failed, or does not know the group; an unavailable backend looks the same. */
export type Membership = 'member' | 'not-member' | 'unresolved';

export type AccountLookup =
  | { readonly status: 'found'; readonly account: Account; readonly groups: ReadonlyMap<string, Membership> }
  | { readonly status: 'absent' }
  /** NSS said that it cannot tell, hung past the deadline, or too many questions wait. */
  | { readonly status: 'unavailable'; readonly why: string };

export interface Accounts {
  /** @param groups names whose membership is wanted */
  byName(name: string, groups: readonly string[]): Promise<AccountLookup>;
  byUid(uid: number, groups: readonly string[]): Promise<AccountLookup>;
}

/** A machine other than the one that sallyportd runs on, as records and events name it. */
export interface HostName {
  readonly id: string;
  readonly name: string;
}

/**
 * The machine that a login is for, and what only that machine can answer.
 *
 * Invariant: an answer is believed for logins on this host, and for those on no other.
 */
export interface HostFacts {
  /** '': the machine that sallyportd runs on. */
  readonly id: string;
  readonly name: string;
  readonly bootId: string;
  readonly accounts: Accounts;
  /** logind: the session exists, is active and not remote. Unknown is false. */
  sessionIsLocal(session: string): Promise<boolean>;
  readonly securityKeys: FidoHelper;
  readonly passwords: PasswordHelper;
}

/** Where a login comes from, as the connection shows it: nothing of it is what the program said. */
export interface Origin {
  readonly host: HostFacts;
  /** root: only root can connect there. */
  readonly socket: 'root' | 'user';
  /** The uid of the program at the other end. */
  readonly peerUid: number;
}

/** What a login hears of its link. */
export interface LinkEvents {
  frame(frame: ModuleFrame): void;
  /** The other end broke the protocol. */
  violated(error: unknown): void;
  /** The other end sends nothing more. May be called more than once. */
  ended(): void;
  /** Once, and last: nothing more can be sent, and nothing of the link remains. */
  closed(): void;
}

/** Frames both ways between one login and the module: a Unix socket, or one stream of another connection. */
export interface FrameLink {
  readonly origin: Origin;
  /** Once, before anything has arrived. */
  listen(events: LinkEvents): void;
  /** They leave together: each write wakes the program at the other end. Dropped once the link has ended. */
  send(frames: readonly DaemonFrame[]): void;
  /** What was sent stays readable for the other end. */
  close(): void;
}
