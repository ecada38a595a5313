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
 * What an admin can ask for and change, but for what accepts a factor: that is the verifier's.
 * Whether the caller may is settled before any of it is called. `account` is a canonical name.
 *
 * Each change is one commit together with its audit event, ends whatever is remembered for the
 * account, and is decided anew from fresh records when it meets another.
 */
export interface Admin extends Exempting, Owners, OwnEvents, Reporting {
  status(): StatusView;
  /** @throws SallyportError config-invalid: the last good configuration stays in force */
  reload(): Promise<ReloadView>;
  realms(): readonly Realm[];
  /** @throws SallyportError no-such-realm */
  realm(name: string): Realm;
  /** @param page search: what names begin with */
  users(page: {
    readonly after?: string;
    readonly search?: string;
    readonly limit: number;
    /** Whether the name service is asked which of them are there. */
    readonly lookUp?: boolean;
  }): Promise<UserPage>;
  /** @param codesToCome whether the reader may hear that a code that is still to come was typed; by default true */
  user(account: string, codesToCome?: boolean): Promise<Omit<UserView, 'mayAdd' | 'mayAddUnverified'>>;
  /** Whose record the store has under that name; undefined: nobody's. */
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
  /** A link for somebody new; one more takes the place of the one before. */
  invite(actor: string, account: string, withoutPassword: boolean): Promise<LinkView>;
  explain(account: string, query: ExplainQuery): Promise<ExplainView>;
  /** `user` in the query is a canonical name. */
  /** @param after only events of later places */
  audit(query: AuditQuery, after?: number): Promise<AuditPage>;
  /** Oldest first, from the place `from`. */
  auditFrom(from: number, user: string | undefined, limit: number): Promise<readonly StoredAuditEvent[]>;
  /** A stretch of the chain, checked. */
  checkTrail(query: TrailQuery): Promise<TrailCheck>;
  /** Calls back after each event that is committed, in order. @returns how to stop */
  follow(user: string | undefined, listener: (event: StoredAuditEvent) => void): () => void;
  /** Calls back when the store cannot be written, can again, or is found damaged; with events at place 0. */
  followTroubles(listener: (event: StoredAuditEvent) => void): () => void;
}
