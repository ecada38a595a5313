import type { FactorRecord } from '../factors/kinds.ts';
import type { HostName } from '../host/contract.ts';

/** Failures of logins with a verified first factor, kept in the store (docs/design.md, rule 6). */
export interface LockState {
  /** Consecutive wrong typed codes. */
  readonly codes: number;
  /** Consecutive wrong answers of any kind. */
  readonly any: number;
  /**
   * When typed codes were locked, in milliseconds since the epoch; a recovery key or an administrator unlocks them.
   */
  readonly codesLockedAt?: number;
  /** When everything was locked; it lasts for `lockout.duration`, and never longer than that from now. */
  readonly lockedAt?: number;
}

/** An active grant (`remember`): issued after a verified factor in a login whose first factor was verified. */
export interface Grant {
  readonly realm: string;
  readonly service: string;
  /** "ip:ADDRESS", or "tty:TTY session:ID boot:ID". */
  readonly origin: string;
  /** su with su = "caller": the target of su. A grant for one target does not apply to another. */
  readonly target?: string;
  /** Id of the host that it was issued on, and applies to; absent: this machine. */
  readonly host?: string;
  /** Milliseconds since the epoch; void if the clock is before it. */
  readonly since: number;
}

/** A temporary exemption that an administrator has set. */
export interface Exemption {
  /** Milliseconds since the epoch; void if the clock is before it. */
  readonly since: number;
  readonly until: number;
  /** PAM services; undefined: all of them. */
  readonly services?: readonly string[];
  /** As the administrator wrote it. */
  readonly reason?: string;
  /** Who set it: "uid:0". */
  readonly by: string;
}

/** The part of an account's record that policy needs; an account without a record has the empty state. */
export interface AccountState {
  /** The uid that the record was made for; absent in records from before uids were kept (identity.ts). */
  readonly uid?: number;
  readonly factors: readonly FactorRecord[];
  readonly lock: LockState;
  readonly grants: readonly Grant[];
  /** When the first login of the grace period with a verified first factor was. */
  readonly graceStarted?: number;
  readonly exemption?: Exemption;
  /** Until when a first factor may be added with an invite, in milliseconds since the epoch. */
  readonly invite?: { readonly expires: number };
}

/** Facts about one login, from HELLO and the peer's socket. */
export interface LoginFacts {
  /** The host that it is for; absent: this machine. */
  readonly host?: HostName;
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
  /** The uid of the peer process. On pam-user.sock only this user may log in. */
  readonly peerUid: number;
  /** Over pam.sock, and the first factor is known to be correct (docs/design.md). */
  readonly firstFactorVerified: boolean;
  readonly rootSocket: boolean;
  readonly local: boolean;
  /** Requested by a page of the portal: the browser can answer at once. */
  readonly browser?: true;
  /** Whether what is shown reaches the person and no log; absent: unknown, which counts as no. */
  readonly reachesPerson?: boolean;
  /** FIDO keys that sshd has verified in this login (factors/encodings/ssh-key.ts); absent: none. */
  readonly sshKeys?: readonly string[];
  readonly mode: 'prompt' | 'password-and-code' | 'first-pass';
}
