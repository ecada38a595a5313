/** An account as NSS knows it. */
export interface Account {
  /** pw_name: the one canonical name for look-ups, counters, policy and audit. */
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** unresolved: NSS failed, or does not know the group; a backend that is away looks like that too. */
export type Membership = 'member' | 'not-member' | 'unresolved';

export type AccountLookup =
  | { readonly status: 'found'; readonly account: Account; readonly groups: ReadonlyMap<string, Membership> }
  | { readonly status: 'absent' }
  /** NSS said that it cannot tell, hung past the deadline, or too many questions wait. */
  | { readonly status: 'unavailable'; readonly why: string };

export interface Accounts {
  /** @param groups names whose membership is wanted */
  byName(name: string, groups: readonly string[]): Promise<AccountLookup>;
  byUid(uid: number, groups: readonly string[]): Promise<AccountLookup>;
  /** logind: the session exists, is active and not remote. Unknown is false. */
  sessionIsLocal(session: string): Promise<boolean>;
}
