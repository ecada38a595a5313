import type { IncomingHttpHeaders } from 'node:http';
import { type Caller, type Holder, mayCall, type TargetAccount, type TokenCheck } from '../api/access.ts';
import { type OperationName, operation } from '../api/operations.ts';
import type { Route } from '../api/routes.ts';
import type { AccountLookup, Accounts } from '../host/accounts.ts';
import { createAccountMutex } from '../lib/account-mutex.ts';
import { SallyportError } from '../lib/errors.ts';
import { createRates } from '../lib/rates.ts';
import { limits } from '../limits.ts';
import { refusals } from '../policy/decision.ts';
import type { RecordOwner } from '../store/sealed/record-owner.ts';

/** What is needed to tell who asks, and about whom. */
export interface AuthoriseOptions {
  readonly accounts: Accounts;
  readonly tokens: TokenCheck;
  /** Of the configuration in force. */
  readonly adminGroup: () => string;
  /** Uids that count as root: 0, and below `init --root` the daemon's own. */
  readonly rootUids: ReadonlySet<number>;
  /** Of the account that the portal runs as; it may change with the configuration. */
  readonly portalUid?: () => Promise<number | undefined>;
  /** Of the account that sallyport-notify runs as; undefined: there is nothing to run. */
  readonly notifyUid?: () => Promise<number | undefined>;
  /** Milliseconds; by default those of the process. */
  readonly monotonic?: () => number;
  /** What the store has under that name: nothing, or the record and the uid that it was made for. */
  readonly recordOf: (account: string) => Promise<RecordOwner | undefined>;
}

/** A request that may go on. */
export interface Authorised {
  /** "uid:N": whose deed it is in the audit trail. */
  readonly actor: string;
  /** Canonical name of the account that it is about. */
  readonly account?: string;
  readonly caller: Caller;
  /** Whose deed it is and whom it is about are the same. */
  readonly isSelf: boolean;
  /** The same, and it may read nothing about others. */
  readonly isOwnOnly: boolean;
  /** Root, or an administrator about another account: nobody who may have guessed a code that is still to come. */
  readonly hearsOfCodesToCome: boolean;
  /** Whether the same caller may do that to the same account. */
  readonly may: (name: OperationName) => boolean;
  /** Judges a stricter case of the same request. @throws SallyportError not-permitted, token-needed */
  readonly demand: (name: OperationName) => void;
  /**
   * Judges the request for another account too, that it is about as well. @returns its canonical name
   * @throws SallyportError as for the first, no-such-account, accounts-unavailable
   */
  readonly demandFor: (user: string) => Promise<string>;
}

export type Authorise = (uid: number, route: Route, headers: IncomingHttpHeaders) => Promise<Authorised>;

/**
 * What MUST hold:
 * - groups are asked about afresh for every request; what NSS cannot tell is no membership;
 * - who may not know whether an account exists hears the same refusal either way;
 * - nobody reads or changes as "the account itself" what was stored for another uid under the same name;
 * - an account with uid 0, or with a record made for it, is one of root's;
 * - an account changes itself only so often: each change is an event that is never counted with others;
 * - NSS gets one question at a time from one uid, so that no local user fills its queue; through the portal from one
 *   session, so that no person waits for the look-up of another.
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
        throw new SallyportError('too-many-changes', 'too many changes of one account; go on in a minute');
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
  const judge = (name: OperationName) => mayCall(name, caller, target.subject, holder);
  const may = (name: OperationName): boolean => judge(name).allowed;
  const demand = (name: OperationName): void => {
    const decision = judge(name);
    if (decision.allowed) return;
    if (target.subject?.another === true && target.subject.uid === (holder ?? caller).uid)
      throw new SallyportError('uid-changed', refusals['uid-changed'].text);
    if (decision.code === 'not-permitted' && uncertain) throw unavailable(`the groups of uid ${uid}`);
    throw refusal(decision.code, uid, name);
  };
  demand(route.name);
  if (target.missing !== undefined) throw target.missing;
  const actor = `uid:${holder !== undefined && caller.portal ? holder.uid : uid}`;
  const isOfUid = target.subject?.uid !== undefined && actor === `uid:${target.subject.uid}`;
  return {
    actor,
    caller,
    // Root at the machine is whom everybody else is told to ask.
    isSelf: !caller.root && isOfUid && target.subject?.another !== true,
    isOwnOnly: !mayKnow && isOfUid,
    hearsOfCodesToCome: caller.root || (target.subject !== undefined && !isOfUid),
    may,
    demand,
    async demandFor(user) {
      const { subject, missing } = await targetOf(options, user, mayKnow);
      const decision = mayCall(route.name, caller, subject, holder);
      if (!decision.allowed) throw refusal(decision.code, uid, route.name);
      if (missing !== undefined) throw missing;
      return subject?.name ?? '';
    },
    ...(target.subject === undefined ? {} : { account: target.subject.name }),
  };
}

/**
 * Root that shows a token acts for its holder, and may no more: below `init --root` the portal has the daemon's own
 * uid. A token that is good no more leaves nothing.
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
  /** Thrown once it is settled that the caller may know it. */
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
      return { subject: nobody, missing: unavailable('that account') };
    case 'absent': {
      const record = mayKnow && mayBeName(name) ? await options.recordOf(name) : undefined;
      if (record !== undefined)
        return { subject: { name, root: record.uid === undefined || options.rootUids.has(record.uid) } };
      return { subject: nobody, missing: noSuchAccount() };
    }
  }
}

function isAnothers(record: RecordOwner | undefined, uid: number): boolean {
  return record?.uid !== undefined && record.uid !== uid && !record.empty;
}

/** Stands for a name that is no account, so that access is judged as for anybody's. */
const nobody: TargetAccount = { name: '', uid: -1, root: false };

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

function refusal(code: 'not-permitted' | 'token-needed', uid: number, name: OperationName): SallyportError {
  const what = operation(name).what;
  return code === 'token-needed'
    ? new SallyportError(
        code,
        `this needs a password, and a factor where there is one (${what}); or use sudo`,
      )
    : new SallyportError(code, `uid ${uid} may not do this (${what}); ask an admin, or use sudo`);
}

function noSuchAccount(): SallyportError {
  return new SallyportError(
    'no-such-account',
    'there is no such account; check the name with: getent passwd',
  );
}

function unavailable(what: string): SallyportError {
  return new SallyportError(
    'accounts-unavailable',
    `the name service could not tell about ${what}; check NSS with: getent passwd`,
  );
}
