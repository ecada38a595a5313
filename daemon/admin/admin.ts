import type { LinkView } from '../api/sign-in-views.ts';
import type { ChangeView, KeysView, Realm } from '../api/views.ts';
import type { AuditKind } from '../audit/event.ts';
import { fitting } from '../audit/filter.ts';
import { readByPortal } from '../client/portal-config.ts';
import type { Configuration } from '../config/in-force.ts';
import { checkedName } from '../enrolment/factor-name.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import { kindOf, summaryOf } from '../factors/kinds.ts';
import type { Accounts } from '../host/accounts.ts';
import { SallyportError } from '../lib/errors.ts';
import { limits } from '../limits.ts';
import { holdsNothing } from '../policy/identity.ts';
import { newInvite } from '../sign-in/sign-in-links.ts';
import type { AccountRecord, Store } from '../store/contract.ts';
import { changeEvent } from '../verifier/events.ts';
import { type ChangedBy, createStanding, refuseLoss } from './account-status.ts';
import { commitChange, factorIn, type Proposal, unlocked, withFactors } from './change.ts';
import type { Admin } from './contract.ts';
import { createExempting, createExemptionCount } from './exemptions.ts';
import { createExplain } from './explanation.ts';
import { createOwnEvents } from './own-events.ts';
import { createOwners } from './owners.ts';
import { createPresence } from './presence.ts';
import { createPresenceCount, type PresenceCountLimits } from './presence-count.ts';
import { createReporting } from './report.ts';
import { statusOf } from './status.ts';
import { createTroubles } from './store-health-events.ts';
import { userLine, viewUser } from './user-view.ts';

export interface AdministrationOptions {
  readonly store: Store;
  readonly accounts: Accounts;
  readonly configuration: Configuration;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly bootId: string;
  readonly version: string;
  readonly started: number;
  /** Logins that are under way. */
  readonly openLogins?: () => number;
  readonly keys?: () => KeysView;
  /** By default `limits.presenceCount`. */
  readonly presenceCount?: PresenceCountLimits;
}

/** What is to become of a factor; undefined: it goes; same: it is so already. */
type Edit = (factor: FactorRecord, others: readonly FactorRecord[]) => FactorRecord | 'same' | undefined;

/** `before` and `after` are there when something was changed. */
interface Done {
  readonly factor: FactorRecord;
  readonly before?: AccountRecord;
  readonly after?: AccountRecord;
}

/** The admin's side of the daemon, on the store. */
export function createAdmin(options: AdministrationOptions): Admin {
  const { store, configuration } = options;
  const standing = createStanding(options);
  const presence = createPresence(options);
  const exemptions = createExemptionCount(store, options.now);
  const presences = createPresenceCount({
    ...options,
    // A time of its own for each name: a slow name service is no unavailable one.
    look: (account, record) => presence()(account, record),
    ...(options.presenceCount === undefined ? {} : { limit: options.presenceCount }),
  });
  const ownEvents = createOwnEvents(store);
  const recordOf = async (account: string) => (await store.account(account)).value;

  const readable = async (account: string, codesToCome = true) => {
    const record = await recordOf(account);
    if (record === undefined || codesToCome) return record;
    return {
      ...record,
      factors: record.factors.map((factor) => kindOf(factor).withoutCodeToCome?.(factor) ?? factor),
    };
  };

  /** Names from `search` on do not begin with the one that is it. */
  const exact = async (account: string) => {
    try {
      const record = await recordOf(account);
      return record === undefined ? [] : [{ account, record }];
    } catch (error) {
      // As in a page: whoever searches for a damaged record is to see that it is.
      if (error instanceof SallyportError && error.code === 'record-damaged')
        return [{ account, damaged: error.message }];
      throw error;
    }
  };

  const changeFactor = (
    kind: AuditKind,
    actor: string,
    account: string,
    id: string,
    edit: Edit,
    by: ChangedBy = {},
  ): Promise<ChangeView> =>
    commitChange(options, account, async (record, empty): Promise<Proposal<Done>> => {
      const factor = factorIn(record, id);
      const before = record ?? empty;
      const edited = edit(
        factor,
        before.factors.filter((other) => other !== factor),
      );
      if (edited === 'same') return { kind: 'nothing', result: { factor } };
      const after = withFactors(
        before,
        before.factors.flatMap((old) => (old === factor ? (edited ?? []) : old)),
      );
      await refuseLoss(standing, account, before, after, by);
      const event = changeEvent(kind, {
        outcome: 'done',
        reason: by.isSelf === true ? 'by-self' : 'by-admin',
        account,
        at: options.now(),
        actor,
        factor: edited ?? factor,
      });
      return { kind: 'change', write: after, event, result: { factor: edited ?? factor, before, after } };
    }).then(({ factor, before, after }) => told(account, factor, before, after));

  const told = async (
    account: string,
    factor: FactorRecord,
    before: AccountRecord | undefined,
    after: AccountRecord | undefined,
  ): Promise<ChangeView> => {
    const view = { account, factor: summaryOf(factor) };
    if (before === undefined || after === undefined) return { ...view, changed: false };
    const warning = await standing.lossOf(account, before, after);
    return { ...view, changed: true, ...(warning === undefined ? {} : { warning }) };
  };

  return {
    status: () => statusOf({ ...options, exemptions, presences }),
    ...createReporting(options),
    ...createExempting({ ...options, changed: exemptions.changed }),
    ...createOwners({
      ...options,
      changed(account, exemption) {
        exemptions.changed(account, exemption);
        presences.changed(account);
      },
    }),
    async reload() {
      const before = configuration.current();
      const config = configuration.reload();
      const problem = configuration.problem();
      return {
        file: config.file,
        realms: config.realms.length,
        portal: config.portal !== undefined && readByPortal(config) !== readByPortal(before),
        ...(problem === undefined ? {} : { problem }),
      };
    },
    realms: () => configuration.current().realms,
    realm: (name) => realmNamed(configuration.current().realms, name),
    async users({ after, search, limit, lookUp }) {
      const from = after ?? search;
      const page = await store.accounts({ limit, ...(from === undefined ? {} : { after: from }) });
      const first = after === undefined && search !== undefined ? await exact(search) : [];
      const fitting = [...first, ...page.filter(({ account }) => account.startsWith(search ?? ''))];
      const found = fitting.slice(0, limit);
      const last = page.length === limit && fitting.length >= limit ? found.at(-1) : undefined;
      const look = presence();
      const lines = found.map(async (entry) => {
        const line = userLine(entry, options.now());
        const record = 'record' in entry ? entry.record : undefined;
        return lookUp === true ? { ...line, presence: await look(entry.account, record) } : line;
      });
      return {
        users: await Promise.all(lines),
        ...(last === undefined ? {} : { next: last.account }),
      };
    },
    async user(account, codesToCome) {
      return viewUser(account, await readable(account, codesToCome), await standing.of(account), options);
    },
    async recordOwner(account) {
      const [found] = await exact(account);
      if (found === undefined) return undefined;
      // Its handler says that it is damaged.
      if (!('record' in found)) return { empty: false };
      const { record } = found;
      const empty = holdsNothing(record, options.now());
      return record.uid === undefined ? { empty } : { empty, uid: record.uid };
    },
    unlock: (actor, account) =>
      commitChange(options, account, (record): Proposal<ChangeView> => {
        const changed = record !== undefined && !isUnlocked(record);
        const event = changeEvent('unlocked', {
          outcome: 'done',
          reason: changed ? 'by-admin' : 'was-not-locked',
          account,
          at: options.now(),
          actor,
        });
        const result = { account, changed };
        return { kind: 'change', event, result, ...(changed ? { write: unlocked(record) } : {}) };
      }),
    factors: async (account, codesToCome) =>
      ((await readable(account, codesToCome))?.factors ?? []).map(summaryOf),
    rename: (actor, account, id, name) =>
      changeFactor('factor-renamed', actor, account, id, (factor, others) => {
        const checked = checkedName(name, others);
        return checked === factor.name ? 'same' : { ...factor, name: checked };
      }),
    setEnabled: (actor, account, id, enabled, by) =>
      changeFactor(
        enabled ? 'factor-enabled' : 'factor-disabled',
        actor,
        account,
        id,
        (factor) => (factor.enabled === enabled ? 'same' : { ...factor, enabled }),
        by,
      ),
    remove: (actor, account, id, by) =>
      changeFactor('factor-removed', actor, account, id, () => undefined, by),
    invite: (actor, account, withoutPassword) =>
      commitChange(options, account, (record, empty): Proposal<LinkView> => {
        const now = options.now();
        const { invite, view } = newInvite(account, withoutPassword, now);
        const event = changeEvent('invited', {
          outcome: 'done',
          reason: withoutPassword ? 'without-password' : 'with-password',
          account,
          at: now,
          actor,
        });
        const write = { ...(record ?? empty), invite };
        const [origin] = configuration.current().portal?.origins ?? [];
        const url = origin === undefined ? {} : { url: `${origin}/invite#${view.link}` };
        return { kind: 'change', write, event, result: { ...view, ...url } };
      }),
    explain: createExplain(options),
    async audit(query, after = -1) {
      const { last } = store.health().events;
      const fits = fitting(query);
      const page = await store.search({ ...query, fits, scan: limits.trailScan });
      const next = page.next !== undefined && page.next > after ? { next: page.next } : {};
      return { events: page.events.filter(({ seq }) => seq > after), ...next, last };
    },
    endOfOthers: ownEvents.endOfOthers,
    checkTrail: (query) => store.checkTrail({ ...query, scan: limits.trailScan }),
    auditFrom: (from, user, limit) =>
      store.events({ from, limit, forward: true, ...(user === undefined ? {} : { account: user }) }),
    followTroubles: createTroubles(() => store.health(), options.now),
    follow: (user, listener) =>
      store.follow((event) => {
        if (user === undefined || event.account === user) listener(event);
      }),
  };
}

function isUnlocked({ lock, grants }: AccountRecord): boolean {
  return (
    lock.codes === 0 &&
    lock.any === 0 &&
    lock.codesLockedAt === undefined &&
    lock.lockedAt === undefined &&
    grants.length === 0
  );
}

function realmNamed(realms: readonly Realm[], name: string): Realm {
  const realm = realms.find((candidate) => candidate.name === name);
  if (realm !== undefined) return realm;
  throw new SallyportError('no-such-realm', 'there is no such realm; "sallyport realm list" shows them all');
}
