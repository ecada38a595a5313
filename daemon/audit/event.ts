/** What a decision was about; each leaves one event, in the commit of the change that it describes. */
export type AuditKind =
  | 'login'
  | 'verify'
  | 'enrol'
  | 'factor-renamed'
  | 'factor-enabled'
  | 'factor-disabled'
  | 'factor-removed'
  | 'unlocked'
  | 'invited'
  | 'exempted'
  /** Came from another system; left for one. */
  | 'imported'
  | 'exported'
  | 'store';

export type AuditOutcome = 'success' | 'not-needed' | 'observed' | 'refused' | 'abandoned' | 'error' | 'done';

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
  readonly realm?: string;
  readonly service?: string;
  /** PAM_RHOST, cleaned of control characters. */
  readonly source?: string;
  readonly tty?: string;
  readonly proven?: boolean;
  /** su with su = "caller": whose factors and counts they were. */
  readonly caller?: string;
  readonly factor?: { readonly id: string; readonly kind: string; readonly name: string };
  /** Who did it, for changes: "uid:0". */
  readonly actor?: string;
  /** outcome = observed: the kind of decision that it would have been; `reason` is its reason. */
  readonly would?: string;
  /** Until when what was given is good: an exemption, a bypass code. Milliseconds since the epoch. */
  readonly until?: number;
}

/** As it is stored and listed: with its place in the one order of all events. */
export interface StoredAuditEvent extends AuditEvent {
  readonly seq: number;
}
