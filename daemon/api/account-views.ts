import type {
  ExportedAccount,
  ExportPage,
  ExportRequest,
  ImportEntry,
  ImportedAccount,
  ImportedFactor,
  ImportRequest,
  PortableFactor,
} from '../enrolment/import-export-types.ts';
import type { KindName } from '../factors/kinds.ts';
import type { Exemption } from '../policy/contract.ts';
import type { ChangeView, EnrolView } from './views.ts';

/** What an admin lets an account off for. */
export interface ExemptBody {
  /** Milliseconds since the epoch. */
  readonly until: number;
  /** PAM services; left out: all. */
  readonly services?: readonly string[];
  /** The reason, for later readers. */
  readonly reason?: string;
}

export interface ExemptView extends ChangeView {
  readonly exemption: Exemption;
}

/** Whose record is to have which name. */
export interface MoveBody {
  /** The account that it is to be the record of. */
  readonly to: string;
  /** The caller confirms that it is the same person although the uids differ. */
  readonly confirmed?: boolean;
}

/**
 * What an account would be asked for if its realm were enforced: ready: it is asked, and has what will do;
 * recovery-only: it is let in by recovery keys or scratch codes until they are used up, and has nothing that its realm
 * requires; off: nothing is required of it; grace: not asked until its grace period ends; enrol: it adds a first factor
 * in the login; refused: it is locked out; gone: NSS knows it no more; unknown: NSS cannot tell.
 */
export type Readiness =
  | 'ready'
  | 'recovery-only'
  | 'off'
  | 'grace'
  | 'enrol'
  | 'refused'
  | 'gone'
  | 'unknown';

export interface ReportLine {
  readonly account: string;
  readonly readiness: Readiness;
  /** Stable: why, as in the audit. */
  readonly why: string;
  /** The same in a sentence for people. */
  readonly detail: string;
  readonly realm?: string;
  /** Whether the realm only observes as yet. */
  readonly observed: boolean;
  readonly factors: readonly { readonly kind: KindName; readonly enabled: boolean }[];
  /** Until when an exemption runs that puts it off. Milliseconds since the epoch. */
  readonly exemptUntil?: number;
}

export interface ReportView {
  readonly lines: readonly ReportLine[];
}

export interface BypassBody {
  /** Milliseconds from now; one hour unless it says otherwise. */
  readonly forMs?: number;
}

/** With the code in clear, "123 456 789", this once. */
export interface BypassView extends EnrolView {
  readonly bypassCode: string;
}

/** What travels over control.sock when people move here, and when they leave. All of it is secret. */
export type { ExportedAccount, ExportPage, ImportEntry, ImportedAccount, ImportedFactor, PortableFactor };

export type ImportBody = Omit<ImportRequest, 'actor'>;

export interface ImportView {
  /** One for each entry, in their order. */
  readonly accounts: readonly ImportedAccount[];
}

export type ExportBody = Omit<ExportRequest, 'actor' | 'limit'>;
