import type { LinkView } from '../api/sign-in-views.ts';
import type { ChangeView } from '../api/views.ts';
import type { Configuration } from '../config/in-force.ts';
import { newInvite } from '../sign-in/sign-in-links.ts';
import type { AccountRecord } from '../store/contract.ts';
import { changeEvent } from '../verifier/events.ts';
import { type ChangeOptions, commitChange, type Proposal, unlocked } from './change.ts';
import type { Admin } from './contract.ts';

export interface AccountChangesOptions extends ChangeOptions {
  readonly configuration: Pick<Configuration, 'current'>;
}

/** Lifts locks, and invites. */
export function createAccountChanges(options: AccountChangesOptions): Pick<Admin, 'unlock' | 'invite'> {
  const { configuration } = options;
  return {
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
