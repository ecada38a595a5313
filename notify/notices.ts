import type { StoredAuditEvent } from '../daemon/api/views.ts';

/** Events that administrators should be notified of (docs/reference/audit-events.md, "Notices"). The names are stable. */
export const noticeNames = [
  'locked',
  'recovery-key-used',
  'last-recovery-key-used',
  'factor-added',
  'factor-disabled',
  'factor-removed',
  'bypass-code-issued',
  'exempted',
  'approval-denied',
  'store-trouble',
  'store-recovered',
  'dropped',
] as const;
export type NoticeName = (typeof noticeNames)[number];

/** What the program gets on its standard input, as one line of JSON. */
export interface Notice {
  readonly notice: NoticeName;
  readonly host: string;
  /** Absent for `dropped`. */
  readonly event?: StoredAuditEvent;
  /** For `dropped`: the number of notices not delivered, and the sequence numbers of the first and the last. */
  readonly count?: number;
  readonly first?: number;
  readonly last?: number;
}

/** @returns undefined if the event needs no notice */
export function noticeOf(event: StoredAuditEvent): NoticeName | undefined {
  const { kind, outcome, reason, locked, remaining } = event;
  if (locked !== undefined) return 'locked';
  switch (kind) {
    case 'login':
    case 'verify':
      if (remaining !== undefined) return remaining === 0 ? 'last-recovery-key-used' : 'recovery-key-used';
      return outcome === 'refused' && reason === 'denied' ? 'approval-denied' : undefined;
    case 'factor-added':
      if (outcome !== 'done' && outcome !== 'success') return undefined;
      return reason === 'issued' ? 'bypass-code-issued' : 'factor-added';
    case 'exempted':
      return reason === 'issued' ? 'exempted' : undefined;
    case 'factor-disabled':
      return 'factor-disabled';
    case 'factor-removed':
      return 'factor-removed';
    case 'store':
      return outcome === 'done' ? 'store-recovered' : 'store-trouble';
    default:
      return undefined;
  }
}
