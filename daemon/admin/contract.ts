import type { LinkView } from '../api/sign-in-views.ts';
import type {
  AuditPage,
  AuditQuery,
  ChangeView,
  ExplainQuery,
  ExplainView,
  FactorSummary,
  Realm,
  ReloadView,
  StatusView,
  TrailQuery,
  UserPage,
  UserView,
} from '../api/views.ts';
import type { StoredAuditEvent } from '../audit/event.ts';
import type { TrailCheck } from '../store/contract.ts';
import type { RecordOwner } from '../store/sealed/record-owner.ts';
import type { ChangedBy } from './account-status.ts';
import type { Exempting } from './exemptions.ts';
import type { OwnEvents } from './own-events.ts';
import type { Owners } from './owners.ts';
import type { Reporting } from './report.ts';

/**
 * What an administrator can read and change, except what verifies a factor, which the verifier does. Permission is
 * decided before any of it is called. `account` is a canonical name. Each change is one commit together with its audit
 * event, revokes the account's remembered logins, and is decided again from fresh records on a conflict.
 */
export interface Admin extends Exempting, Owners, OwnEvents, Reporting {
  status(): StatusView;
  /** @throws SallyportError config-invalid: the last good configuration stays in force */
  reload(): Promise<ReloadView>;
  /** @param digest of the settings that the portal which runs has read */
  portalReported(digest: string): void;
  realms(): readonly Realm[];
  /** @throws SallyportError no-such-realm */
  realm(name: string): Realm;
  /** @param page search: a prefix of names */
  users(page: {
    readonly after?: string;
    readonly search?: string;
    readonly limit: number;
    /** Whether the name service is asked which of them exist. */
    readonly lookUp?: boolean;
  }): Promise<UserPage>;
  /** @param codesToCome whether the reader may learn that a future code was typed; by default true */
  user(account: string, codesToCome?: boolean): Promise<Omit<UserView, 'mayAdd' | 'mayAddUnverified'>>;
  /** The owner of the record under that name; undefined without a record. */
  recordOwner(account: string): Promise<RecordOwner | undefined>;
  unlock(actor: string, account: string): Promise<ChangeView>;
  factors(account: string, codesToCome?: boolean): Promise<readonly FactorSummary[]>;
  /** @throws SallyportError no-such-factor, bad-name, name-taken */
  rename(actor: string, account: string, factor: string, name: string): Promise<ChangeView>;
  /** @throws SallyportError no-such-factor, last-factor, yes-needed */
  setEnabled(
    actor: string,
    account: string,
    factor: string,
    enabled: boolean,
    by?: ChangedBy,
  ): Promise<ChangeView>;
  /** @throws SallyportError no-such-factor, last-factor, yes-needed */
  remove(actor: string, account: string, factor: string, by?: ChangedBy): Promise<ChangeView>;
  /** Creates an invite; a new one replaces the previous one. */
  invite(actor: string, account: string, withoutPassword: boolean): Promise<LinkView>;
  explain(account: string, query: ExplainQuery): Promise<ExplainView>;
  /** `user` in the query is a canonical name. */
  /** @param after only events with later sequence numbers */
  audit(query: AuditQuery, after?: number): Promise<AuditPage>;
  /** Oldest first, from the sequence number `from`. */
  auditFrom(from: number, user: string | undefined, limit: number): Promise<readonly StoredAuditEvent[]>;
  /** A verified range of the chain. */
  checkTrail(query: TrailQuery): Promise<TrailCheck>;
  /** Calls back after each committed event, in order. @returns a function that unsubscribes */
  follow(user: string | undefined, listener: (event: StoredAuditEvent) => void): () => void;
  /** Calls back when the store becomes unwritable, writable again, or damaged; with events of sequence number 0. */
  followTroubles(listener: (event: StoredAuditEvent) => void): () => void;
}
