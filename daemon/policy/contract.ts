import type { FactorRecord } from '../factors/kinds.ts';

/** Failures of proven logins, kept in the store (design, rule 6). */
export interface LockState {
  /** Wrong typed codes in a row. */
  readonly codes: number;
  /** Wrong answers of any kind in a row. */
  readonly any: number;
  /** Typed codes are locked until a recovery key or an admin lifts it. Milliseconds: since when. */
  readonly codesLockedAt?: number;
  /** Everything is locked for `lockout.duration` from here, and never longer than that from now. */
  readonly lockedAt?: number;
}

/** A running `remember`: given after a verified factor in a proven login. */
export interface Grant {
  readonly realm: string;
  readonly service: string;
  /** "ip:ADDRESS", or "tty:TTY session:ID boot:ID". */
  readonly origin: string;
  /** su with su = "caller": the account that su was for. A grant for one is none for another. */
  readonly target?: string;
  /** Milliseconds since the epoch; void when the clock stands before it. */
  readonly since: number;
}

/** An admin lets an account off for a while. */
export interface Exemption {
  /** Milliseconds since the epoch; void when the clock stands before it. */
  readonly since: number;
  readonly until: number;
  /** PAM services; undefined: all. */
  readonly services?: readonly string[];
  /** In the admin's words. */
  readonly reason?: string;
  /** Who gave it: "uid:0". */
  readonly by: string;
}

/** What policy needs to know of an account's record; an account without one has the empty state. */
export interface AccountState {
  /** That it was made for; absent: it was written before uids were kept (identity.ts). */
  readonly uid?: number;
  readonly factors: readonly FactorRecord[];
  readonly lock: LockState;
  readonly grants: readonly Grant[];
  /** When the first proven login of the grace period was. */
  readonly graceStarted?: number;
  readonly exemption?: Exemption;
  /** A link with which a first factor may be added. Milliseconds since the epoch: until when. */
  readonly invite?: { readonly expires: number };
}

/** Facts about one login, as HELLO and the peer's socket tell them. */
export interface LoginFacts {
  readonly service: string;
  /** The name as typed; the canonical one comes from NSS. */
  readonly user: string;
  /** PAM_RHOST as it came, for the audit; undefined when empty. */
  readonly rhost?: string;
  /** PAM_RHOST when it is a literal address, in canonical form (IPv4-mapped IPv6 as IPv4). */
  readonly source?: string;
  readonly tty?: string;
  readonly session?: string;
  readonly bootId: string;
  readonly realUid: number;
  /** At the other end of the socket. On pam-user.sock nobody else may be logged in. */
  readonly peerUid: number;
  /** Over pam.sock, and the first factor is known to be right (design, "What the module cannot know"). */
  readonly firstFactorVerified: boolean;
  readonly rootSocket: boolean;
  readonly local: boolean;
  /** Asked for by a page of the portal: what a browser can answer with, it can answer with at once. */
  readonly browser?: true;
  /** What is shown reaches the person and no log; absent: not known, which counts as no. */
  readonly reachesPerson?: boolean;
  /** FIDO keys that sshd has verified in this login (factors/ssh-key.ts); absent: none. */
  readonly sshKeys?: readonly string[];
  readonly mode: 'prompt' | 'password-and-code' | 'first-pass';
}
