import { commandService, portalService } from '../policy/realm.ts';
import type { ControlCode } from './error-codes.ts';
import { type CallerRole, type OperationName, operation } from './operations.ts';

/** Who is at the other end, as SO_PEERCRED and NSS say. */
export interface Caller {
  readonly uid: number;
  /** uid 0, or below `init --root` the daemon's own uid. */
  readonly root: boolean;
  /** The portal's uid: it acts only with a person's token. */
  readonly portal: boolean;
  /** The uid of sallyport-notify. */
  readonly notify?: boolean;
  /** A member of the admin group; false if that is unknown. */
  readonly admin: boolean;
}

/**
 * The service name for sign-ins of this caller. Root needs no token: below `init --root` it is the portal, which has
 * the daemon's own uid there.
 */
export function serviceOf(caller: Pick<Caller, 'portal' | 'root'>): string {
  return caller.portal || caller.root ? portalService : commandService;
}

/** The account that an operation is about. */
export interface TargetAccount {
  readonly name: string;
  /** Undefined: an account that is gone and of which only the record is left; `root` goes by the record then. */
  readonly uid?: number;
  /** One of root's, or one that was. */
  readonly root: boolean;
  /** The record under its name was made for another uid: no caller counts as the account itself. */
  readonly another?: true;
}

/** The signed-in holder of a token. */
export interface Holder extends Caller {
  /** Canonical name. Another account may have the same uid. */
  readonly account?: string;
  /** Less than five minutes ago: valid for changes. */
  readonly fresh: boolean;
  /** Given without a factor where one is required: to add one's own first factor, whatever group one is in. */
  readonly onlyOwn?: true;
}

/** Tokens: sallyportd gives them for a password and, where the account has one, a factor. */
export interface TokenCheck {
  /** The holder of this token while it is valid; undefined otherwise. */
  holder(token: string): Promise<Holder | undefined>;
}

export type AccessDecision =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly code: 'not-permitted' | 'token-needed' };

/**
 * The one place that decides. Pure.
 *
 * Invariants:
 * - root comes before portal: below `init --root` both may be the same uid;
 * - sallyport-notify has only its own role, whatever groups its uid is in;
 * - the portal has only the portal's role, whatever groups its uid is in and whatever its account is;
 * - a token serves the uid that it was given to, or the portal, and never more than its holder may;
 * - it is no token of another account that has the same uid: a program of that uid may have got it without the
 *   password and the factors of this one;
 * - an old token permits only reading, for every holder.
 */
export function mayCall(
  name: OperationName,
  caller: Caller,
  subject: TargetAccount | undefined,
  holder: Holder | undefined,
): AccessDecision {
  const cell = operation(name).access[callerRole(caller, subject)];
  if (cell === 'allow') return { allowed: true };
  if (cell === 'deny') return refuse('not-permitted');
  if (holder === undefined || (cell === 'token' && !holder.fresh)) return refuse('token-needed');
  if (caller.portal) return asPerson(name, holder, subject);
  if (holder.uid !== caller.uid) return refuse('token-needed');
  if (sharesUid(holder, subject)) return refuse('not-permitted');
  const isOwn = callerRole(caller, subject) === 'self';
  return holder.onlyOwn === true && !isOwn ? refuse('not-permitted') : { allowed: true };
}

export function callerRole(caller: Caller, subject: TargetAccount | undefined): CallerRole {
  if (caller.root) return 'root';
  if (caller.portal) return 'portal';
  if (caller.notify === true) return 'notify';
  const isOwn = subject?.uid !== undefined && subject.uid === caller.uid && subject.another !== true;
  if (isOwn) return 'self';
  if (!caller.admin) return 'other';
  if (subject === undefined) return 'admin';
  return subject.root ? 'adminOfRoot' : 'admin';
}

/** What the holder of the token may do, the token being there. The portal itself holds none. */
function asPerson(name: OperationName, holder: Holder, subject: TargetAccount | undefined): AccessDecision {
  if (holder.portal || sharesUid(holder, subject)) return refuse('not-permitted');
  const cell = operation(name).access[callerRole(holder, subject)];
  return cell === 'deny' ? refuse('not-permitted') : { allowed: true };
}

/** Root's accounts share what root may. */
function sharesUid(holder: Holder, subject: TargetAccount | undefined): boolean {
  if (holder.account === undefined || subject === undefined || holder.root) return false;
  return subject.uid === holder.uid && subject.name !== holder.account;
}

function refuse(code: Extract<ControlCode, 'not-permitted' | 'token-needed'>): AccessDecision {
  return { allowed: false, code };
}
