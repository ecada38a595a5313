import assert from 'node:assert/strict';
import type { AsyncCommand } from 'fast-check';
import { ControlError } from '../../../daemon/client/client.ts';
import { accountOf, configText, type Factor, type Login, own, type Realm, realmOf } from './reference.ts';
import type { System } from './system.ts';
import { agreesOnFactors, login, type Model, newSeed, race, type Typed } from './world.ts';

export type Command = AsyncCommand<Model, System>;

export const users = ['alice', 'bob'] as const;
export const uidOf = { alice: 1000, bob: 1001 } as const;
export const minute = 60_000;

export function command(
  name: string,
  run: (model: Model, system: System) => Promise<void>,
  check: (model: Model, onDisk?: boolean) => boolean = () => true,
): Command {
  return {
    check: (model) => check(model),
    run: async (model, system) => {
      await run(model, system);
      for (const user of users) await agreesOnFactors(model, system, user);
    },
    toString: () => name,
  };
}

/** @returns the code with which the product refused a change; undefined: it was made */
async function refusal(work: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof ControlError) return error.code;
    throw error;
  }
}

const isThere = (model: Model, user: string): boolean => model.directoryAnswers && model.directory.has(user);

/** Whether the record is of the uid that the account has now. */
function isOwn(model: Model, user: string): boolean {
  const { uid } = accountOf(model, user);
  return uid === undefined || uid === model.directory.get(user);
}

const clears = (model: Model, user: string): void => accountOf(model, user).grants.clear();

export function addFactor(user: string, kind: 'totp' | 'hotp' | 'recovery'): Command {
  return command(`add ${kind} ${user}`, async (model, system) => {
    const account = accountOf(model, user);
    const seed = newSeed(model);
    const secret = seed.toString('base64');
    const otp = { secret, algorithm: 'sha1', verify: false } as const;
    const body =
      kind === 'totp'
        ? ({ kind, ...otp, digits: 6, period: 30, name: `totp ${model.seeds}` } as const)
        : kind === 'hotp'
          ? ({ kind, ...otp, digits: 8, counter: 0, name: `hotp ${model.seeds}` } as const)
          : ({ kind, verify: false } as const);
    let added: Awaited<ReturnType<System['client']['addFactor']>> | undefined;
    const code = await refusal(async () => {
      added = await system.client.addFactor(user, body);
    });
    const mayBe = isThere(model, user) && isOwn(model, user);
    const { require } = realmOf(model, user);
    if (!mayBe || (require === 'yubikey' && kind !== 'recovery')) {
      assert.notEqual(code, undefined, `${kind} was added to ${user}`);
      return;
    }
    assert.equal(code, undefined, `no ${kind} was added to ${user}`);
    if (added === undefined) throw new Error('nothing came back');
    const base = { id: added.factor.id, enabled: true, doubt: false };
    const factor: Factor =
      kind === 'totp'
        ? { ...base, kind, seed, lastStep: -1 }
        : kind === 'hotp'
          ? { ...base, kind, seed, counter: 0 }
          : { ...base, kind, keys: added.recoveryKeys ?? [], used: new Set() };
    if (kind === 'recovery') account.factors = account.factors.filter((each) => each.kind !== 'recovery');
    account.factors.push(factor);
    model.known.set(factor.id, factor);
    own(model, user);
    clears(model, user);
  });
}

export function changeFactor(user: string, at: number, what: 'enable' | 'disable' | 'remove'): Command {
  return command(`${what} factor ${at} of ${user}`, async (model, system) => {
    const account = accountOf(model, user);
    const factor = account.factors.filter(({ kind }) => kind !== 'bypass')[at];
    if (factor === undefined || !isThere(model, user) || !isOwn(model, user)) return;
    const code = await refusal(() =>
      what === 'enable'
        ? system.client.enableFactor(user, factor.id)
        : system.client[`${what}Factor`](user, factor.id, true),
    );
    assert.equal(code, undefined, `root may not ${what} a factor of ${user}`);
    if (what === 'remove') account.factors = account.factors.filter((each) => each !== factor);
    if (what !== 'remove' && factor.enabled === (what === 'enable')) return;
    factor.enabled = what === 'enable';
    clears(model, user);
  });
}

export function bypass(user: string): Command {
  return command(`bypass ${user}`, async (model, system) => {
    if (!isThere(model, user) || !isOwn(model, user)) return;
    const account = accountOf(model, user);
    const { bypassCode, factor } = await system.client.giveBypass(user, { forMs: 30 * minute });
    account.factors = account.factors.filter(({ kind }) => kind !== 'bypass');
    const until = model.now + 30 * minute;
    const code = bypassCode.replaceAll(' ', '');
    account.factors.push({
      id: factor.id,
      enabled: true,
      doubt: false,
      kind: 'bypass',
      code,
      since: model.now,
      until,
    });
    own(model, user);
    clears(model, user);
  });
}

export function unlock(user: string): Command {
  return command(`unlock ${user}`, async (model, system) => {
    if (!isThere(model, user) || !isOwn(model, user)) return;
    await system.client.unlock(user);
    const account = accountOf(model, user);
    account.lock = { codes: 0, any: 0 };
    account.grants.clear();
  });
}

export function exempt(user: string, isOn: boolean): Command {
  return command(`${isOn ? 'exempt' : 'end the exemption of'} ${user}`, async (model, system) => {
    if (!isThere(model, user) || !isOwn(model, user)) return;
    const account = accountOf(model, user);
    if (!isOn) {
      await system.client.endExemption(user);
      delete account.exemption;
      return;
    }
    const until = model.now + 60 * minute;
    await system.client.exempt(user, { until });
    account.exemption = { since: model.now, until };
    own(model, user);
  });
}

/** All that is stored of the account is removed, of any uid. */
export function forget(user: string): Command {
  return command(`forget ${user}`, async (model, system) => {
    if (!model.directoryAnswers) return;
    const code = await refusal(() => system.client.forget(user));
    const isStored = model.accounts.get(user)?.uid !== undefined;
    assert.equal(code, isStored ? undefined : 'no-such-account', `forget ${user}`);
    model.accounts.delete(user);
    model.newcomers.delete(user);
  });
}

/** The record goes to the uid that the name has now. */
export function move(user: string): Command {
  return command(`move ${user} to its uid`, async (model, system) => {
    const record = model.accounts.get(user);
    const uid = model.directory.get(user);
    if (!model.directoryAnswers || record?.uid === undefined || uid === undefined) return;
    await system.client.move(user, { to: user, confirmed: true });
    record.grants.clear();
    if (record.uid === uid) return;
    model.newcomers.delete(user);
    record.uid = uid;
    delete record.exemption;
  });
}

export function reload(realms: readonly Realm[]): Command {
  const name = `reload ${JSON.stringify(realms)}`;
  return command(name, async (model, system) => {
    await system.reload(configText(realms));
    model.realms = realms;
  });
}

export const reloadBad = command('reload a file that is not valid', async (_model, system) => {
  await assert.rejects(system.reload('[[realm]]\nname = 7\n'));
});

export function clock(ms: number): Command {
  return command(
    `${ms < 0 ? 'set the clock back' : 'wait'} ${Math.abs(ms) / 1000} s`,
    async (model, system) => {
      model.now += ms;
      system.setTime(model.now);
    },
  );
}

export function directory(user: 'alice' | 'bob', uid: number | undefined): Command {
  return command(`${user} is ${uid === undefined ? 'no account' : `uid ${uid}`}`, async (model, system) => {
    system.accounts.remove(user);
    model.directory.delete(user);
    model.newcomers.delete(user);
    if (uid === undefined) return;
    system.accounts.add(user, uid);
    model.directory.set(user, uid);
  });
}

export function directoryAnswers(isUp: boolean): Command {
  return command(`the directory is ${isUp ? 'up' : 'down'}`, async (model, system) => {
    model.directoryAnswers = isUp;
    system.accounts.unavailable = isUp ? undefined : 'connection refused';
  });
}

export const restart = command('restart', async (_model, system) => system.restart());

export function logsIn(given: Login, answers: readonly Typed[]): Command {
  const name = `login ${JSON.stringify(given)} ${answers}`;
  return command(name, (model, system) => login(model, system, given, answers));
}

/** From the same place as before: what is remembered, locked and used shows there. */
export function logsInAgain(answers: readonly Typed[]): Command {
  const run = async (model: Model, system: System) => {
    if (model.last !== undefined) await login(model, system, model.last, answers);
  };
  return command(`login as before ${answers}`, run);
}

/** As many wrong answers as lock something. */
export function guesses(given: Login, answer: Typed, times: number): Command {
  return command(`${times} x ${answer} ${JSON.stringify(given)}`, async (model, system) => {
    for (let each = 0; each < times; each += 1) await login(model, system, given, [answer]);
  });
}

export function races(given: Login, answer: Typed): Command {
  const name = `race ${JSON.stringify(given)} ${answer}`;
  return command(name, (model, system) => race(model, system, given, answer));
}
