import type { PortableFactor } from '../factors/kinds.ts';
import type { CodeVerificationOptions } from '../verifier/verify-code.ts';

export type { PortableFactor };
export type ImportedKind = PortableFactor['kind'];

/** One account of another system. */
export interface ImportEntry {
  /** Name as written; absent: the account of uid `owner`. */
  readonly user?: string;
  /** The uid that owns the file, if not root: the file may then speak only for its owner. */
  readonly owner?: number;
  readonly factors: readonly PortableFactor[];
  readonly lock?: {
    /** Typed codes are locked until an administrator or a recovery key lifts the lock. */
    readonly codes: boolean;
    /** All factors are locked until then. Milliseconds since the epoch. */
    readonly until?: number;
  };
}

export interface ImportRequest {
  readonly actor: string;
  /** The system of origin, as the audit trail names it. */
  readonly source: string;
  readonly dryRun: boolean;
  readonly entries: readonly ImportEntry[];
}

/** added: new; raised: it existed, and its last-used counter is higher now; refused: see `code` and `message`. */
export type ImportedFactor = { readonly kind: ImportedKind; readonly name: string } & (
  | { readonly outcome: 'added' | 'raised' | 'unchanged' }
  | { readonly outcome: 'refused'; readonly code: string; readonly message: string }
);

/** The outcome for one account; in a dry run, the expected outcome. */
export interface ImportedAccount {
  /** Canonical name; absent if the account does not exist. */
  readonly account?: string;
  /** refused: nothing was imported, and nothing of it existed here. */
  readonly outcome: 'added' | 'unchanged' | 'refused';
  readonly code?: string;
  readonly message?: string;
  /** In the order of the entry. */
  readonly factors: readonly ImportedFactor[];
  /** A lock was imported too. */
  readonly locked: boolean;
}

export interface ExportRequest {
  readonly actor: string;
  /** Canonical names; absent: all accounts in the store, after the name `after`. */
  readonly users?: readonly string[];
  readonly after?: string;
  readonly limit: number;
}

export interface ExportedAccount {
  readonly account: string;
  readonly factors: readonly (PortableFactor & { readonly name: string })[];
  /** What cannot be exported, and why. */
  readonly left: readonly { readonly kind: string; readonly name: string; readonly why: string }[];
}

export interface ExportPage {
  readonly accounts: readonly ExportedAccount[];
  /** There are more: call again with this name. */
  readonly next?: string;
}

/** Import from another system, and export. */
export interface ImportExport {
  /**
   * One commit with its events for each account; a refused account does not stop the others. Never throws for an
   * entry.
   */
  take(request: ImportRequest): Promise<readonly ImportedAccount[]>;
  /** @throws SallyportError no-such-account, and the store's own */
  give(request: ExportRequest): Promise<ExportPage>;
}

export type ImportExportOptions = Pick<
  CodeVerificationOptions,
  'store' | 'accounts' | 'config' | 'keyedHash' | 'randomness' | 'clock' | 'auditedStore' | 'log'
>;
