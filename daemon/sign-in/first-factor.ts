import { type Caller, serviceOf } from '../api/access.ts';
import type { SignInBody } from '../api/sign-in-views.ts';
import type { Configuration } from '../config/in-force.ts';
import type { Account, Accounts, HostFacts, PasswordVerdict } from '../host/contract.ts';
import type { LoginFacts } from '../policy/contract.ts';
import { ownershipOf } from '../policy/identity.ts';
import { matchingRule, referencedGroups, selectRealm } from '../policy/realm.ts';
import { matchRequirement } from '../policy/requirement.ts';
import type { Store } from '../store/contract.ts';
import { recordOf } from '../store/sealed/record-owner.ts';
import { type AuditedStore, retryOnConflict } from '../verifier/audited-store.ts';
import { loginEvent, shown } from '../verifier/events.ts';
import { type InviteLink, isInvited, type LinkOwner, type Links, readInvite } from './sign-in-links.ts';

/** Verifies the first factor: a password, a link, an invite, or the caller's own uid. */
export interface FirstFactorOptions {
  readonly accounts: Accounts;
  readonly configuration: Pick<Configuration, 'current'>;
  readonly store: Pick<Store, 'account'>;
  readonly auditedStore: AuditedStore;
  /** The machine whose passwords they are. */
  readonly host: Pick<HostFacts, 'passwords'>;
  readonly links: Links;
  readonly clock: { now(): number; monotonic(): number };
}

export type Authenticated = { readonly account: Account; readonly invited: boolean };
export type NotProven =
  | 'wrong'
  | 'expired'
  | 'unavailable'
  | 'not-permitted'
  | 'password-needed'
  | 'has-password';

/**
 * Identifies the user by the first factor, with the same work for an unknown name. Invariants:
 * - the caller's uid, and a link that it made, replace a password only if the account certainly has none, or if the
 *   caller is root; this is verified again when a link is opened, because a password may have been set meanwhile;
 * - a link serves only the uid that it was made for, not another account that got its name.
 */
export async function firstFactor(
  options: FirstFactorOptions,
  caller: Caller,
  body: SignInBody,
  source: string | undefined,
): Promise<Authenticated | NotProven> {
  const byLink = body.by === 'link' ? await ownerOf(options, body) : undefined;
  if (body.by === 'link' && typeof byLink === 'string') return byLink;
  const found = await options.accounts.byName(typeof byLink === 'object' ? byLink.account : body.user, []);
  if (found.status === 'unavailable') return 'unavailable';
  const account = found.status === 'found' && isFor(byLink, found.account) ? found.account : undefined;
  const isOwn = account !== undefined && account.uid === caller.uid;
  if (body.by === 'uid') return isOwn ? byUid(options, caller, account) : 'not-permitted';
  if (!caller.portal && !caller.root && !isOwn) return 'not-permitted';
  if (typeof byLink === 'object' && !byLink.needsPassword)
    return (await mayReplacePassword(options, account, byLink))
      ? verifiedPerson(options, account, byLink)
      : 'wrong';
  const { password } = body;
  if (password === undefined) return 'password-needed';
  const verdict = await options.host.passwords.check({
    user: account?.name ?? body.user,
    password: Buffer.from(password),
    ...(source === undefined ? {} : { source }),
  });
  if (verdict !== 'right') {
    if (account !== undefined) await notePassword(options, account, serviceOf(caller), source, verdict);
    return verdictWithout(verdict, account);
  }
  return verifiedPerson(options, account, typeof byLink === 'object' ? byLink : undefined);
}

async function byUid(
  { host }: FirstFactorOptions,
  caller: Caller,
  account: Account,
): Promise<Authenticated | NotProven> {
  const isCertain = caller.root || (await host.passwords.lacksPassword(account.name));
  return isCertain ? { account, invited: false } : 'has-password';
}

/** Whether the condition for the link still holds. An invite states itself whether it needs a password. */
async function mayReplacePassword(
  { host }: FirstFactorOptions,
  account: Account | undefined,
  { own }: Owner,
): Promise<boolean> {
  if (account === undefined || own === undefined) return account !== undefined;
  return own.uid === account.uid && (own.byRoot || (await host.passwords.lacksPassword(account.name)));
}

/** A link is valid for the account that it was made for, not for another one that has its name now. */
function isFor(owner: Owner | 'wrong' | 'password-needed' | undefined, { uid }: Account): boolean {
  return typeof owner !== 'object' || owner.uid === undefined || owner.uid === uid;
}

/** An invite is consumed last: a typing error does not cost a new one. */
async function verifiedPerson(
  options: FirstFactorOptions,
  account: Account | undefined,
  owner: Owner | undefined,
): Promise<Authenticated | 'wrong'> {
  const invite = owner?.invite;
  if (account === undefined || (invite !== undefined && !(await useUp(options, invite, account))))
    return 'wrong';
  return { account, invited: invite !== undefined };
}

/** At most as often as the rate limiter permits, so that no caller fills another account's trail. */
async function notePassword(
  { auditedStore, clock }: FirstFactorOptions,
  account: Account,
  service: string,
  source: string | undefined,
  verdict: PasswordVerdict,
): Promise<void> {
  await auditedStore.note({
    kind: 'login',
    outcome: verdict === 'wrong' ? 'refused' : 'error',
    reason: `password-${verdict}`,
    at: clock.now(),
    account: account.name,
    service,
    ...(source === undefined ? {} : { source: shown(source) }),
    firstFactorVerified: false,
  });
}

/** Unavailable verification is reported for every name alike; the rest only for a correct password. */
function verdictWithout(verdict: Exclude<PasswordVerdict, 'right'>, account: Account | undefined): NotProven {
  if (verdict === 'busy' || verdict === 'failed') return 'unavailable';
  return verdict === 'expired' && account !== undefined ? 'expired' : 'wrong';
}

interface Owner {
  readonly account: string;
  /** Absent in invites of versions that kept none. */
  readonly uid?: number;
  readonly invite?: InviteLink;
  /** A link that the account made for itself. */
  readonly own?: LinkOwner;
  readonly needsPassword: boolean;
}

/** The owner of a link. A link that the account made for itself is consumed here. */
async function ownerOf(
  options: FirstFactorOptions,
  { link, password }: SignInBody & { by: 'link' },
): Promise<Owner | 'wrong' | 'password-needed'> {
  const invite = readInvite(link);
  if (invite === undefined) {
    const own = options.links.take(link);
    return own === undefined ? 'wrong' : { account: own.account, uid: own.uid, own, needsPassword: false };
  }
  const { value: record } = await options.store.account(invite.account);
  if (record === undefined || !isInvited(record.invite, invite, options.clock.now())) return 'wrong';
  const needsPassword = record.invite?.withoutPassword !== true;
  if (needsPassword && password === undefined) return 'password-needed';
  const uid = record.uid === undefined ? {} : { uid: record.uid };
  return { account: record.account, ...uid, invite, needsPassword };
}

/** Once, in one commit. @returns false if another request was faster, or a new invite replaced it */
function useUp(options: FirstFactorOptions, invite: InviteLink, owner: Account): Promise<boolean> {
  return retryOnConflict(async () => {
    const now = options.clock.now();
    const { value: record, version } = await options.store.account(invite.account);
    if (record === undefined || !isInvited(record.invite, invite, now)) return false;
    if (ownershipOf(record, owner.uid, now) !== 'own') return false;
    const { invite: _, ...rest } = record;
    const event = {
      kind: 'invited',
      outcome: 'success',
      reason: 'used',
      at: now,
      account: record.account,
    } as const;
    return (await options.auditedStore.change({ record, version }, rest, event)) ? true : undefined;
  });
}

/** What an account without a factor may do that may add its first one. */
export interface First {
  /** Nothing else: the realm requires a factor, and none was asked for. */
  readonly onlyOwn: boolean;
}

/** An account without any factor that may add its first one itself. */
export async function mayAddFirst(
  { accounts, configuration, store, auditedStore, clock }: FirstFactorOptions,
  account: Account,
  facts: LoginFacts,
  invited: boolean,
): Promise<First | undefined> {
  const config = configuration.current();
  const now = clock.now();
  const { value } = await store.account(account.name);
  const record = recordOf(value, account, now);
  // The verifier refuses and reports it.
  if (ownershipOf(record, account.uid, now) === 'another') return undefined;
  const found = await accounts.byName(account.name, referencedGroups(config));
  if (found.status !== 'found') return undefined;
  const selected = selectRealm(config, found.account, found.groups);
  if (selected.kind !== 'realm') return undefined;
  const { realm } = selected;
  // A used-up set and a bypass code are not factors: they give an account without others no further rights.
  if (matchRequirement(record.factors, realm, config.webauthn?.rpId, now).kind !== 'no-factor')
    return undefined;
  if (!invited && realm.require !== 'none' && realm.enrol === 'refuse') return undefined;
  if (matchingRule(realm, facts)?.action.kind === 'refuse') return undefined;
  const subject = { target: account, holder: account, groups: found.groups };
  const said = { outcome: 'not-needed', reason: 'first-factor', at: now, realm: realm.name } as const;
  await auditedStore.note(loginEvent(subject, facts, said));
  return { onlyOwn: realm.require !== 'none' };
}
