import assert from 'node:assert/strict';
import { ControlError } from '../../../daemon/client/client.ts';
import { command, users } from './commands.ts';
import { accountOf, emptyAccount, type Factor, lockNow } from './reference.ts';
import type { System } from './system.ts';
import { lockOf } from './world.ts';

export const backup = command('backup', async (model, system) => {
  await system.backup();
  model.backedUp = new Map([...model.accounts].map(([user, account]) => [user, { ...account }]));
});

/** No record, and no account either. */
function unknownAccount(
  error: unknown,
): Pick<Awaited<ReturnType<System['client']['user']>>, 'factors' | 'lock'> {
  if (error instanceof ControlError && error.code === 'no-such-account')
    return { factors: [], lock: { codes: 0, any: 0 } };
  throw error;
}

/** A restore may void a set of which it does not know what is used; none of its keys comes back. */
function agreesOnKeysLeft({ id, keys, used }: Factor & { kind: 'recovery' }, left: number): void {
  assert.ok(left <= keys.length - used.size, `${id} has more keys than before`);
  if (left === 0) for (const key of keys) used.add(key);
}

export const restore = command('restore', async (model, system) => {
  if (!model.directoryAnswers) return;
  // Stores that were replaced are named by their time.
  model.now += 1_000;
  system.setTime(model.now);
  if (!(await system.restore())) return;
  for (const user of users) {
    const old = accountOf(model, user);
    const [stored, kept] = [model.accounts.get(user), model.backedUp.get(user)];
    const uid = stored?.uid ?? kept?.uid;
    const hadGrace = [stored, kept].some((one) => one?.uid === uid && one?.graceStarted !== undefined);
    const shown = await system.client.user(user).catch(unknownAccount);
    const account = emptyAccount();
    if (uid !== undefined) account.uid = uid;
    if (hadGrace) account.graceStarted = 0;
    for (const { id, enabled, kind, left } of shown.factors) {
      const factor = model.known.get(id);
      assert.ok(factor !== undefined && kind !== 'bypass', `a ${kind} came back that is not known`);
      // A clock that was set back ends nothing that a restore before holds back.
      const restoredAt = Math.max(factor.restoredAt ?? 0, model.now);
      account.factors.push(Object.assign(factor, { enabled, doubt: true, restoredAt }));
      if (factor.kind === 'recovery') agreesOnKeysLeft(factor, left ?? 0);
    }
    model.accounts.set(user, account);
    model.newcomers.delete(user);
    account.lock = lockOf(shown.lock);
    assert.ok(account.lock.any >= lockNow(old, model.now).any, `${user} has fewer failures than before`);
  }
});
