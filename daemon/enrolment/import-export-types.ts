import type { PortableFactor } from '../factors/kinds.ts';
import type { CodeVerificationOptions } from '../verifier/verify-code.ts';

export type { PortableFactor };
export type ImportedKind = PortableFactor['kind'];

/** One account of another system. */
export interface ImportEntry {
  /** Name as written; absent: the account that `owner` is. */
  readonly user?: string;
  /** The uid whose file it is, where that is not root's: it can speak for its owner alone. */
  readonly owner?: number;
  readonly factors: readonly PortableFactor[];
  readonly lock?: {
    /** Typed codes are locked until an admin or a recovery key lifts it. */
    readonly codes: boolean;
    /** Everything is, until then. Milliseconds since the epoch. */
    readonly until?: number;
  };
}

export interface ImportRequest {
  readonly actor: string;
  /** Which system it comes from: what the audit trail says. */
  readonly source: string;
  readonly dryRun: boolean;
  readonly entries: readonly ImportEntry[];
}

/** added: it is new; raised: it was there, and more of it is spent now; refused: `code` and `message` say why. */
export type ImportedFactor = { readonly kind: ImportedKind; readonly name: string } & (
  | { readonly outcome: 'added' | 'raised' | 'unchanged' }
  | { readonly outcome: 'refused'; readonly code: string; readonly message: string }
);

/** What became of one account; in a dry run, what would. */
export interface ImportedAccount {
  /** Canonical name; absent where there is no such account. */
  readonly account?: string;
  /** refused: nothing of it came over, and nothing of it was there. */
  readonly outcome: 'added' | 'unchanged' | 'refused';
  readonly code?: string;
  readonly message?: string;
  /** In the order of the entry. */
  readonly factors: readonly ImportedFactor[];
  /** A lock came over too. */
  readonly locked: boolean;
}

export interface ExportRequest {
  readonly actor: string;
  /** Canonical names; absent: all that the store knows, after the name `after`. */
  readonly users?: readonly string[];
  readonly after?: string;
  readonly limit: number;
}

export interface ExportedAccount {
  readonly account: string;
  readonly factors: readonly (PortableFactor & { readonly name: string })[];
  /** What cannot leave, and why. */
  readonly left: readonly { readonly kind: string; readonly name: string; readonly why: string }[];
}

export interface ExportPage {
  readonly accounts: readonly ExportedAccount[];
  /** There are more: ask again after this name. */
  readonly next?: string;
}

/** Moving here from another system, and leaving. */
export interface ImportExport {
  /** One commit and its events for each account; one that is refused stops no other. Never throws for an entry. */
  take(request: ImportRequest): Promise<readonly ImportedAccount[]>;
  /** @throws SallyportError no-such-account, and the store's own */
  give(request: ExportRequest): Promise<ExportPage>;
}

export type ImportExportOptions = Pick<
  CodeVerificationOptions,
  'store' | 'accounts' | 'config' | 'keyedHash' | 'randomness' | 'clock' | 'auditedStore' | 'log'
>;
