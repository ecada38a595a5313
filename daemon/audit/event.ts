/**
 * What a decision was about (docs/reference/audit-events.md); each leaves one event, in the commit of the change that
 * it describes.
 */
export const auditKinds = [
  'login',
  'verify',
  'factor-added',
  'factor-renamed',
  'factor-enabled',
  'factor-disabled',
  'factor-removed',
  'unlocked',
  'invited',
  'exempted',
  'user-forgotten',
  'user-moved',
  /** Came from another system; left for one. */
  'imported',
  'exported',
  'store',
] as const;
export type AuditKind = (typeof auditKinds)[number];

export const auditOutcomes = [
  'success',
  /** A factor was correct, and another line of the stack verifies the password; its result is unknown here. */
  'accepted',
  'not-needed',
  'observed',
  'refused',
  'abandoned',
  'error',
  'done',
] as const;
export type AuditOutcome = (typeof auditOutcomes)[number];

/** One audit event. Holds no secret: no answer, no seed, no hash. */
export interface AuditEvent {
  readonly kind: AuditKind;
  readonly outcome: AuditOutcome;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Canonical name. */
  readonly account: string;
  /** Stable code: why. */
  readonly reason: string;
  /** The host that the login was for; absent: this machine. */
  readonly host?: { readonly id: string; readonly name: string };
  readonly realm?: string;
  readonly service?: string;
  /** PAM_RHOST, cleaned of control characters. */
  readonly source?: string;
  readonly tty?: string;
  readonly firstFactorVerified?: boolean;
  /** su with su = "caller": whose factors and counts they were. */
  readonly caller?: string;
  readonly factor?: { readonly id: string; readonly kind: string; readonly name: string };
  /**
   * Who did it, for changes: "uid:0". Of a login on pam-user.sock the uid of its program, whose word service, source
   * and tty are.
   */
  readonly actor?: string;
  /** outcome = observed: the kind of decision that it would have been; `reason` is its reason. */
  readonly would?: string;
  /** kind = user-moved: the name that the record had before, or has now. */
  readonly other?: string;
  /** The end of an exemption or a bypass code. Milliseconds since the epoch. */
  readonly until?: number;
  /** This wrong answer locked: typed codes, or everything. */
  readonly locked?: 'codes' | 'all';
  /** A recovery key was used; so many are left. */
  readonly remaining?: number;
  /** This wrong answer is a right code of a device whose clock is ahead by so many seconds (behind, below 0). */
  readonly offset?: number;
  /**
   * The number of events that it represents, the last of them at `at`, of a party that has verified no factor; absent:
   * one. Fields in which they differ are absent, `account` is empty.
   */
  readonly count?: number;
}

/** As it is stored and listed: with its place in the one order of all events. */
export interface StoredAuditEvent extends AuditEvent {
  readonly seq: number;
}
