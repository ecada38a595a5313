import type {
  BypassBody,
  BypassView,
  ExemptBody,
  ExemptView,
  ExportBody,
  ExportPage,
  ImportBody,
  ImportedAccount,
  ImportView,
  MoveBody,
  ReportView,
} from '../api/account-views.ts';
import { newestEventHeader } from '../api/error-codes.ts';
import { type OperationName, operation } from '../api/operations.ts';
import { pathOf } from '../api/routes.ts';
import type {
  AuditPage,
  AuditQuery,
  CeremonyBody,
  CeremonyView,
  ChangeView,
  EnrolBody,
  EnrolView,
  ExplainQuery,
  ExplainView,
  FactorSummary,
  FollowQuery,
  KeysView,
  Realm,
  ReloadView,
  StatusView,
  StoredAuditEvent,
  TrailCheck,
  TrailQuery,
  UserPage,
  UserView,
  VerifyBody,
  VerifyView,
} from '../api/views.ts';
import { limits } from '../limits.ts';
import { createSignInClient, type SignInClient } from './sign-in-client.ts';
import { ask, askText, type ClientOptions, download, type Request, stream } from './transport.ts';

export { type Carrier, type ClientCode, type ClientOptions, ControlError } from './transport.ts';

/** sallyportd over its control socket. Every call may throw a ControlError. */
export interface ControlClient extends SignInClient {
  status(): Promise<StatusView>;
  /** Prometheus' text format. */
  metrics(): Promise<string>;
  reload(): Promise<ReloadView>;
  /** Which settings the portal has read. */
  reportSettings(digest: string): Promise<void>;
  realms(): Promise<readonly Realm[]>;
  realm(name: string): Promise<Realm>;
  /** @param search the beginning of a name @param lookUp whether the name service is asked which of them are there */
  users(after: string | undefined, limit: number, search?: string, lookUp?: true): Promise<UserPage>;
  /** At most `reportLimit` names. */
  report(accounts: readonly string[]): Promise<ReportView>;
  user(name: string): Promise<UserView>;
  unlock(user: string): Promise<ChangeView>;
  /** Removes all that is stored of it. */
  forget(user: string): Promise<ChangeView>;
  /** Moves its record to another name, or to the new uid of its name. */
  move(user: string, body: MoveBody): Promise<ChangeView>;
  exempt(user: string, body: ExemptBody): Promise<ExemptView>;
  endExemption(user: string): Promise<ChangeView>;
  factors(user: string): Promise<readonly FactorSummary[]>;
  addFactor(user: string, body: EnrolBody): Promise<EnrolView>;
  /** Issues a bypass code for one login. */
  giveBypass(user: string, body: BypassBody): Promise<BypassView>;
  /** A security key of this machine; its steps follow with `nextStep`. */
  beginCeremony(user: string, body: CeremonyBody): Promise<CeremonyView>;
  /** Waits for a step after the one given; the same one again: nothing happened yet. */
  nextStep(user: string, seen: CeremonyView, pin?: string): Promise<CeremonyView>;
  cancelCeremony(user: string, ceremony: string): Promise<CeremonyView>;
  renameFactor(user: string, factor: string, name: string): Promise<ChangeView>;
  enableFactor(user: string, factor: string): Promise<ChangeView>;
  /** @param confirmed what it costs was agreed to: else an administrator hears `yes-needed` */
  disableFactor(user: string, factor: string, confirmed?: boolean): Promise<ChangeView>;
  removeFactor(user: string, factor: string, confirmed?: boolean): Promise<ChangeView>;
  verify(user: string, body: VerifyBody): Promise<VerifyView>;
  import(body: ImportBody): Promise<readonly ImportedAccount[]>;
  export(body: ExportBody): Promise<ExportPage>;
  explain(user: string, query: ExplainQuery): Promise<ExplainView>;
  audit(query: AuditQuery): Promise<AuditPage>;
  /** A stretch of the chain of audit events, checked. */
  checkTrail(query: TrailQuery): Promise<TrailCheck>;
  /**
   * Events after the place `from`, as they come, until the daemon ends the stream. At place 0: how the store is.
   * @param opened hears which place is the newest
   */
  follow(query: FollowQuery, opened?: (newest: number) => void): AsyncIterable<StoredAuditEvent>;
  /** After a change of the master key file. `status` says how far it came. */
  adoptKeys(): Promise<KeysView>;
  /** Begins a scrub: `status` says how far it came. @returns since when one that finished counts */
  checkStore(): Promise<{ readonly since: number }>;
  /** Everything in the store (backup-format.ts). */
  backup(withMasterKey: boolean): AsyncGenerator<Buffer>;
}

interface Wanted {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly query?: object;
  readonly body?: unknown;
}

export function createClient(options: ClientOptions): ControlClient {
  const call = <T>(name: OperationName, wanted: Wanted = {}): Promise<T> =>
    ask<T>(options, requestOf(name, wanted));
  const at = (user: string, factor: string) => ({ parameters: { user, factor } });
  return {
    status: () => call('status'),
    metrics: () => askText(options, requestOf('metrics', {})),
    reload: () => call('reload'),
    reportSettings: async (digest) => void (await call('portal-settings', { body: { digest } })),
    realms: async () => (await call<{ realms: readonly Realm[] }>('realm-list')).realms,
    realm: (realm) => call('realm-show', { parameters: { realm } }),
    users: (after, limit, search, lookUp) => call('user-list', { query: { after, search, limit, lookUp } }),
    report: (accounts) => call('report', { body: { accounts } }),
    user: (user) => call('user-show', { parameters: { user } }),
    forget: (user) => call('user-forget', { parameters: { user } }),
    move: (user, body) => call('user-move', { parameters: { user }, body }),
    unlock: (user) => call('user-unlock', { parameters: { user } }),
    exempt: (user, body) => call('user-exempt', { parameters: { user }, body }),
    endExemption: (user) => call('user-exempt-end', { parameters: { user } }),
    factors: async (user) =>
      (await call<{ factors: readonly FactorSummary[] }>('factor-list', { parameters: { user } })).factors,
    addFactor: (user, body) => call('factor-add', { parameters: { user }, body }),
    giveBypass: (user, body) => call('bypass-give', { parameters: { user }, body }),
    beginCeremony: (user, body) => call('ceremony-begin', { parameters: { user }, body }),
    nextStep: (user, { id, step }, pin) =>
      call('ceremony-next', {
        parameters: { user, ceremony: id },
        body: { seen: step.number, ...(pin === undefined ? {} : { pin }) },
      }),
    cancelCeremony: (user, ceremony) => call('ceremony-cancel', { parameters: { user, ceremony } }),
    renameFactor: (user, factor, name) => call('factor-rename', { ...at(user, factor), body: { name } }),
    enableFactor: (user, factor) => call('factor-enable', at(user, factor)),
    disableFactor: (user, factor, confirmed) =>
      call('factor-disable', { ...at(user, factor), query: confirmedQuery(confirmed) }),
    removeFactor: (user, factor, confirmed) =>
      call('factor-remove', { ...at(user, factor), query: confirmedQuery(confirmed) }),
    verify: (user, body) => call('verify', { parameters: { user }, body }),
    import: async (body) => {
      const patient = { ...options, timeout: limits.importWait };
      return (await ask<ImportView>(patient, requestOf('import', { body }))).accounts;
    },
    export: (body) => call('export', { body }),
    explain: (user, query) => call('explain', { parameters: { user }, query }),
    audit: (query) => call('audit-read', { query }),
    checkTrail: (query) => call('audit-verify', { query }),
    follow: (query, opened) =>
      stream(options, requestOf('audit-follow', { query }), (headers) =>
        opened?.(Number(headers[newestEventHeader] ?? 0)),
      ),
    adoptKeys: () => call('keys-adopt'),
    checkStore: () => call('store-check'),
    backup: (withMasterKey) => download(options, requestOf('backup', { body: { withMasterKey } })),
    ...createSignInClient(options),
  };
}

function confirmedQuery(confirmed = false): { readonly confirmed?: true } {
  return confirmed ? { confirmed: true } : {};
}

function requestOf(name: OperationName, { parameters, query, body }: Wanted): Request {
  const { method } = operation(name);
  return { method, path: pathOf(name, parameters ?? {}), query, body };
}
