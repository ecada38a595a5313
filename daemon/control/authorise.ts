import type { IncomingHttpHeaders } from 'node:http';
import { type Caller, type Holder, mayCall, type TargetAccount, type TokenCheck } from '../api/access.ts';
import { type OperationName, operation } from '../api/operations.ts';
import type { Route } from '../api/routes.ts';
import type { AccountLookup, Accounts } from '../host/contract.ts';
import { createAccountMutex } from '../lib/account-mutex.ts';
import { SallyportError } from '../lib/errors.ts';
import { createRates } from '../lib/rates.ts';
import { limits } from '../limits.ts';
import { refusals } from '../policy/decision.ts';
import type { RecordOwner } from '../store/sealed/record-owner.ts';

/** What identifies the caller and the target account. */
export interface AuthoriseOptions {
  readonly accounts: Accounts;
  readonly tokens: TokenCheck;
  /** From the active configuration. */
  readonly adminGroup: () => string;
  /** Uids that count as root: 0, and below `init --root` the daemon's own. */
  readonly rootUids: ReadonlySet<number>;
  /** The uid that the portal runs as; it may change with the configuration. */
  readonly portalUid?: () => Promise<number | undefined>;
  /** The uid that sallyport-notify runs as; undefined without a hook. */
  readonly notifyUid?: () => Promise<number | undefined>;
  /** Monotonic milliseconds; by default those of the process. */
  readonly monotonic?: () => number;
  /** What the store has under that name: nothing, or the record and the uid that it was made for. */
  readonly recordOf: (account: string) => Promise<RecordOwner | undefined>;
}

/** An authorised request. */
export interface Authorised {
  /** "uid:N": the actor in the audit trail. */
  readonly actor: string;
  /** Canonical name of the target account. */
  readonly account?: string;
  readonly caller: Caller;
  /** The actor is the target account. */
  readonly isSelf: boolean;
  /** The same, and the caller may read nothing about other accounts. */
  readonly isOwnOnly: boolean;
  /** Root, or an administrator about another account: not the account itself, which may have guessed a future code. */
  readonly hearsOfCodesToCome: boolean;
  /** Whether the same caller may do that to the same account. */
  readonly may: (name: OperationName) => boolean;
  /** Authorises a stricter case of the same request. @throws SallyportError not-permitted, token-needed */
  readonly demand: (name: OperationName) => void;
  /**
   * Authorises the request for another target account too. @returns its canonical name
   * @throws SallyportError as for the first, no-such-account, accounts-unavailable
   */
  readonly demandFor: (user: string) => Promise<string>;
}

export type Authorise = (uid: number, route: Route, headers: IncomingHttpHeaders) => Promise<Authorised>;

/**
 * Invariants:
 * - groups are looked up for every request; an unknown membership counts as none;
 * - a caller who may not know whether an account exists gets the same error either way;
 * - an account never reads or changes as itself what was stored for another uid under the same name;
 * - an account with uid 0, or with a record made for uid 0, counts as root's;
 * - an account's own changes are rate limited: each is an event that is never aggregated;
 * - NSS gets one look-up at a time from one uid, so that no local user fills its queue; through the portal from one
 *   session, so that no user waits for the look-up of another.
 */
export function createAuthorise(options: AuthoriseOptions): Authorise {
  const accountMutex = createAccountMutex();
  const changes = createRates(options.monotonic ?? (() => performance.now()), limits.ownChanges.accounts);
  let portal: number | undefined;
  const asked = {
    ...options,
    async portalUid() {
      portal = await options.portalUid?.();
      return portal;
    },
  };
  const askerOf = (uid: number, headers: IncomingHttpHeaders): string =>
    uid === portal ? `portal ${tokenIn(headers) ?? ''}` : String(uid);
  return (uid, route, headers) => {
    const work = async (): Promise<Authorised> => {
      const authorised = await authorise(asked, uid, route, headers);
      if (!authorised.isSelf || operation(route.name).method === 'GET') return authorised;
      if (!changes.allows(authorised.actor, limits.ownChanges.rate))
        throw new SallyportError(
          'too-many-changes',
          'too many changes of one account; try again in a minute',
        );
      changes.add(authorised.actor, limits.ownChanges.rate);
      return authorised;
    };
    return options.rootUids.has(uid) ? work() : accountMutex(askerOf(uid, headers), work);
  };
}

async function authorise(
  options: AuthoriseOptions,
  uid: number,
  route: Route,
  headers: IncomingHttpHeaders,
): Promise<Authorised> {
  const asked = await callerOf(options, uid);
  const { uncertain } = asked;
  const holder = await holderOf(options.tokens, headers);
  const caller = narrowed(asked.caller, headers);
  const mayKnow = caller.root || caller.admin || holder?.root === true || holder?.admin === true;
  const target = await targetOf(options, nameIn(route), mayKnow);
  const decide = (name: OperationName) => mayCall(name, caller, target.subject, holder);
  const may = (name: OperationName): boolean => decide(name).allowed;
  const demand = (name: OperationName): void => {
    const decision = decide(name);
    if (decision.allowed) return;
    if (target.subject?.another === true && target.subject.uid === (holder ?? caller).uid)
      throw new SallyportError('uid-changed', refusals['uid-changed'].text);
    if (decision.code === 'not-permitted' && uncertain) throw unavailable(`the groups of uid ${uid}`);
    throw refusal(decision.code, name);
  };
  demand(route.name);
  if (target.missing !== undefined) throw target.missing;
  const actor = `uid:${holder !== undefined && caller.portal ? holder.uid : uid}`;
  const isOfUid = target.subject?.uid !== undefined && actor === `uid:${target.subject.uid}`;
  return {
    actor,
    caller,
    // Other callers are referred to root at the machine.
    isSelf: !caller.root && isOfUid && target.subject?.another !== true,
    isOwnOnly: !mayKnow && isOfUid,
    hearsOfCodesToCome: caller.root || (target.subject !== undefined && !isOfUid),
    may,
    demand,
    async demandFor(user) {
      const { subject, missing } = await targetOf(options, user, mayKnow);
      const decision = mayCall(route.name, caller, subject, holder);
      if (!decision.allowed) throw refusal(decision.code, route.name);
      if (missing !== undefined) throw missing;
      return subject?.name ?? '';
    },
    ...(target.subject === undefined ? {} : { account: target.subject.name }),
  };
}

/**
 * Root with an access token acts for its holder, with no further rights: below `init --root` the portal has the
 * daemon's own uid. An expired token permits nothing.
 */
function narrowed(caller: Caller, headers: IncomingHttpHeaders): Caller {
  if (!caller.root || headers.authorization === undefined) return caller;
  return { uid: caller.uid, root: false, portal: true, admin: false };
}

async function callerOf(
  options: AuthoriseOptions,
  uid: number,
): Promise<{ readonly caller: Caller; readonly uncertain: boolean }> {
  const portal = uid === (await options.portalUid?.());
  if (options.rootUids.has(uid))
    return { caller: { uid, root: true, portal, admin: false }, uncertain: false };
  if (portal) return { caller: { uid, root: false, portal, admin: false }, uncertain: false };
  if (uid === (await options.notifyUid?.()))
    return { caller: { uid, root: false, portal: false, notify: true, admin: false }, uncertain: false };
  const group = options.adminGroup();
  const found = await options.accounts.byUid(uid, [group]);
  const admin = found.status === 'found' && found.groups.get(group) === 'member';
  return { caller: { uid, root: false, portal, admin }, uncertain: found.status === 'unavailable' };
}

interface Target {
  readonly subject?: TargetAccount;
  /** Thrown once the caller is known to be allowed to learn it. */
  readonly missing?: SallyportError;
}

async function targetOf(
  options: AuthoriseOptions,
  name: string | undefined,
  mayKnow: boolean,
): Promise<Target> {
  if (name === undefined) return {};
  const found = await lookUp(options.accounts, name);
  switch (found.status) {
    case 'found': {
      const { name: canonical, uid } = found.account;
      const record = await options.recordOf(canonical);
      const root = [uid, record?.uid ?? uid].some((one) => options.rootUids.has(one));
      return { subject: { name: canonical, uid, root, ...(isAnothers(record, uid) && { another: true }) } };
    }
    case 'unavailable':
      return { subject: noAccount, missing: unavailable('that account') };
    case 'absent': {
      const record = mayKnow && mayBeName(name) ? await options.recordOf(name) : undefined;
      if (record !== undefined)
        return { subject: { name, root: record.uid === undefined || options.rootUids.has(record.uid) } };
      return { subject: noAccount, missing: noSuchAccount(name) };
    }
  }
}

function isAnothers(record: RecordOwner | undefined, uid: number): boolean {
  return record?.uid !== undefined && record.uid !== uid && !record.empty;
}

/** Represents a name without an account, so that access is decided as for any account. */
const noAccount: TargetAccount = { name: '', uid: -1, root: false };

function nameIn(route: Route): string | undefined {
  switch (operation(route.name).about) {
    case 'none':
      return undefined;
    case 'path':
      return route.parameters.user ?? '';
    case 'query':
      return route.query.user;
  }
}

async function lookUp(accounts: Accounts, name: string): Promise<AccountLookup> {
  return mayBeName(name) ? accounts.byName(name, []) : { status: 'absent' };
}

function mayBeName(name: string): boolean {
  return name !== '' && Buffer.byteLength(name) <= limits.userLength && !/\p{Cc}/u.test(name);
}

async function holderOf(tokens: TokenCheck, headers: IncomingHttpHeaders): Promise<Holder | undefined> {
  const token = tokenIn(headers);
  return token === undefined ? undefined : await tokens.holder(token);
}

export function tokenIn(headers: IncomingHttpHeaders): string | undefined {
  return /^Bearer (\S{1,256})$/.exec(headers.authorization ?? '')?.[1];
}

function refusal(code: 'not-permitted' | 'token-needed', name: OperationName): SallyportError {
  const what = operation(name).what;
  return code === 'token-needed'
    ? new SallyportError(
        code,
        `this needs a password, and a factor if the account has one (${what}); or use sudo`,
      )
    : new SallyportError(code, `permission denied (${what}); use sudo or ask an administrator`);
}

function noSuchAccount(name: string): SallyportError {
  return new SallyportError('no-such-account', `account "${name}" not found; check: getent passwd ${name}`);
}

function unavailable(what: string): SallyportError {
  return new SallyportError(
    'accounts-unavailable',
    `the name service could not look up ${what}; check: getent passwd`,
  );
}
