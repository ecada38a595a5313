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

/** What travels over control.sock when people move here, and when they leave. All of it is secret. */
export type { ExportedAccount, ExportPage, ImportEntry, ImportedAccount, ImportedFactor, PortableFactor };

export type ImportBody = Omit<ImportRequest, 'actor'>;

export interface ImportView {
  /** One for each entry, in their order. */
  readonly accounts: readonly ImportedAccount[];
}

export type ExportBody = Omit<ExportRequest, 'actor' | 'limit'>;
