import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { AskServers } from '../../../daemon/authenticators/validations.ts';
import type { CloudYubikey } from '../../../daemon/factors/yubikey.ts';
import { limits } from '../../../daemon/limits.ts';
import type { LoginFacts } from '../../../daemon/policy/contract.ts';
import type { Verdict } from '../../../daemon/verifier/verifier.ts';
import { until } from '../../support/login-rig.ts';
import {
  answer,
  answered,
  assertAccepted,
  assertRefused,
  eventsOf,
  factorOf,
  hotpFactor,
  makeRig,
  opened,
  press,
  put,
  type Rig,
  recordOf,
  recoveryFactor,
  recoveryKeys,
  wrongCodes,
  wrongKey,
} from '../../support/verifier-rig.ts';
import { otp, programmed } from '../../support/yubikey.ts';
import { realm } from '../policy/support.ts';

/** Parties without a verified first factor, active while the owner logs in. */

const servers = { urls: ['https://yk.example/'], clientId: '7', keyFile: '/etc/k' };
const key: CloudYubikey = {
  id: 'y1',
  name: 'key',
  created: 0,
  enabled: true,
  kind: 'yubikey',
  validation: 'cloud',
  publicId: programmed.publicId,
  spent: [],
};
const crowd = 64;

/** Validation servers that send nothing until they are released. */
class SilentServers {
  readonly asked: string[] = [];
  #release: () => void = () => undefined;
  readonly #released = new Promise<void>((resolve) => {
    this.#release = resolve;
  });

  readonly ask: AskServers = async (_, text, _within, ended) => {
    this.asked.push(text);
    const gone = new Promise<void>((resolve) => ended?.addEventListener('abort', () => resolve()));
    await Promise.race([this.#released, gone]);
    return ended?.aborted === true ? 'unavailable' : 'valid';
  };

  release(): void {
    this.#release();
  }
}

let rig: Rig;
let silent: SilentServers;
beforeEach(async () => {
  rig = makeRig(realm({ yubikey: { servers } }));
  silent = new SilentServers();
  rig.servers = silent.ask;
  await put(rig, { factors: [hotpFactor(), key, recoveryFactor()] });
});

const from = (each: number): Partial<LoginFacts> => {
  const source = `198.51.100.${each}`;
  return { firstFactorVerified: false, rhost: source, source };
};
const made = (use: number): string => otp({ use, session: 0 });

const strangers: Record<string, (each: number) => Promise<unknown>> = {
  'OTPs with the public id of the owner, against servers that are silent': (each) =>
    answer(rig, from(each), made(100 + each)),
  'the same, behind a password': (each) =>
    answer(rig, { ...from(each), mode: 'password-and-code' }, `hunter2${made(100 + each)}`),
  'made-up codes': (each) => answer(rig, from(each), wrongCodes(rig, crowd)[each] ?? ''),
  'made-up recovery keys': (each) => answer(rig, from(each), wrongKey),
  'what has no shape': (each) => answer(rig, from(each), 'hunter2'),
  'prompts that nobody answers': (each) => opened(rig, from(each)),
  'su prompts of one local user': async (each) => {
    const facts = { firstFactorVerified: false, service: 'su', realUid: 1001, tty: `pts/${each}` };
    return answered(rig, await opened(rig, facts), made(100 + each));
  },
  'screen lockers of one local user': async (each) => {
    const facts = { firstFactorVerified: false, rootSocket: false, peerUid: 1001, realUid: 1001 };
    return answered(rig, await opened(rig, facts), made(100 + each));
  },
};

describe('the owner, whose first factor is verified', () => {
  for (const [what, doIt] of Object.entries(strangers)) {
    it(`is accepted each time beside ${crowd} strangers with ${what}`, async () => {
      const under = Array.from({ length: crowd }, (_, each) => doIt(each));
      for (let each = 0; each < 10; each += 1) assertAccepted(await answer(rig, {}, press(each)));
      assertAccepted(await answer(rig, {}, recoveryKeys[0] ?? ''));
      silent.release();
      await Promise.all(under);
      assert.deepEqual((await recordOf(rig)).lock, { codes: 0, any: 0 });
    });
  }

  it('is accepted with a cloud YubiKey though a silent server occupies every slot of strangers', async () => {
    rig.servers = (given, text, within, ended) =>
      text === made(9) ? Promise.resolve('valid') : silent.ask(given, text, within, ended);
    const under = Array.from({ length: crowd }, (_, each) => answer(rig, from(each), made(100 + each)));
    await until(() => silent.asked.length > 0, 'a server is asked');
    assertAccepted(await answer(rig, {}, made(9)));
    silent.release();
    await Promise.all(under);
  });

  it('is accepted with an HOTP code while another of their logins waits for the servers', async () => {
    const waits = answer(rig, {}, made(5));
    await until(() => silent.asked.length > 0, 'a server is asked');
    assertAccepted(await answer(rig, {}, press(0)));
    silent.release();
    assertAccepted(await waits);
  });

  it('adds and verifies factors while another login waits for the servers', async () => {
    const waits = answer(rig, {}, made(5));
    await until(() => silent.asked.length > 0, 'a server is asked');
    const verified = await rig.verifier.verify({
      actor: 'uid:0',
      user: 'alice',
      answer: Buffer.from(press(0)),
    });
    assert.equal(verified.outcome, 'accepted');
    await rig.verifier.enrol({ actor: 'uid:0', user: 'alice', kind: 'bypass', forMs: 60_000, verify: false });
    silent.release();
    assertAccepted(await waits);
  });

  it('is accepted while `verify` and the enrolment of another YubiKey wait for the servers', async () => {
    const verifying = rig.verifier.verify({ actor: 'uid:0', user: 'alice', answer: Buffer.from(made(5)) });
    const adding = rig.verifier.enrol({
      actor: 'uid:0',
      user: 'alice',
      kind: 'yubikey',
      validation: 'cloud',
      verify: true,
      code: Buffer.from(otp({ use: 1, session: 0 }, { ...programmed, publicId: 'ccccccccccch' })),
    });
    await until(() => silent.asked.length === 2, 'both servers are asked');
    assertAccepted(await answer(rig, {}, press(0)));
    silent.release();
    assert.equal((await verifying).outcome, 'accepted');
    assert.equal((await adding).account, 'alice');
  });
});

describe('NSS lookups', () => {
  /** NSS gives no answer for names that begin with "slow". */
  const hang = (): { asked: number; release: () => void } => {
    const state = { asked: 0, release: (): void => undefined };
    const released = new Promise<void>((resolve) => {
      state.release = resolve;
    });
    const byName = rig.accounts.byName.bind(rig.accounts);
    rig.accounts.byName = async (name, groups) => {
      if (name.startsWith('slow')) {
        state.asked += 1;
        await released;
      }
      return byName(name, groups);
    };
    return state;
  };

  it('by strangers are limited, and leave slots to those of verified logins', async () => {
    const nss = hang();
    const under = Array.from({ length: crowd }, (_, each) =>
      answer(rig, { ...from(each), user: `slow${each}` }, wrongCodes(rig, 1)[0] ?? ''),
    );
    await until(() => nss.asked === limits.unverifiedLookups.all, 'as many as may be');
    for (let each = 0; each < 10; each += 1) assertAccepted(await answer(rig, {}, press(each)));
    assert.equal(nss.asked, limits.unverifiedLookups.all);
    nss.release();
    for (const verdict of await Promise.all(under)) assertRefused(verdict);
  });

  it('by one local user leave a share to the others', async () => {
    const nss = hang();
    const su = { firstFactorVerified: false, service: 'su', realUid: 1001 };
    const under = Array.from({ length: 20 }, (_, each) =>
      answer(rig, { ...su, user: `slow${each}` }, '123456'),
    );
    await until(() => nss.asked === limits.unverifiedLookups.own, 'as many as may be');
    assertAccepted(await answer(rig, { ...su, realUid: 1002 }, press(0)));
    nss.release();
    await Promise.all(under);
  });
});

describe('requests to validation servers', () => {
  const unverified = limits.validationsUnverified;

  it('are limited for the strangers of one account, and of one source', async () => {
    const under = Array.from({ length: 8 }, (_, each) => answer(rig, from(each), made(100 + each)));
    await until(() => silent.asked.length === unverified.own, 'as many as may be');
    rig.accounts.add('carol', 1002);
    await put(rig, { account: 'carol', factors: [{ ...key, id: 'y2' }] });
    const more = Array.from({ length: 4 }, () => answer(rig, { ...from(99), user: 'carol' }, made(300)));
    await until(() => silent.asked.length === 2 * unverified.own, 'of another account as many');
    silent.release();
    await Promise.all([...under, ...more]);
    assert.equal(silent.asked.length, 2 * unverified.own);
  });

  it('are bounded in all for strangers, and leave slots to those of verified logins', async () => {
    const names = Array.from({ length: 2 * unverified.all }, (_, each) => `user${each}`);
    for (const [each, name] of names.entries()) {
      rig.accounts.add(name, 2000 + each);
      await put(rig, { account: name, factors: [{ ...key, id: `y${each}` }] });
    }
    const under = names.map((user, each) => answer(rig, { ...from(each), user }, made(100 + each)));
    await until(() => silent.asked.length === unverified.all, 'as many as may be');
    const owner = answer(rig, {}, made(7));
    await until(() => silent.asked.includes(made(7)), 'the owner has a slot');
    silent.release();
    assertAccepted(await owner);
    await Promise.all(under);
    assert.equal(silent.asked.length, unverified.all + 1);
  });

  it('of one account with a verified first factor wait for one another, and for no others', async () => {
    const { own } = limits.validationsVerified;
    const under = Array.from({ length: own + 1 }, (_, each) => answer(rig, {}, made(10 + each)));
    await until(() => silent.asked.length === own, 'as many as may be');
    await put(rig, { account: 'bob', factors: [{ ...key, id: 'y2' }] });
    const bob = answer(rig, { user: 'bob' }, made(90));
    await until(() => silent.asked.includes(made(90)), 'bob has a slot');
    silent.release();
    assertAccepted(await bob);
    for (const verdict of await Promise.all(under)) assertAccepted(verdict);
  });
});

describe('a call that ends while its answer is verified', () => {
  const evaluated = async (facts: Partial<LoginFacts>, text: string, ended: AbortSignal): Promise<Verdict> =>
    rig.verifier.answer(await opened(rig, facts), Buffer.from(text), ended);

  for (const facts of [{}, from(1)]) {
    const who = facts.firstFactorVerified === false ? 'unverified' : 'verified';
    it(`is not accepted, and uses no code, though the servers later report it as valid (${who})`, async () => {
      // Servers that answer nevertheless.
      rig.servers = (given, text, within) => silent.ask(given, text, within);
      const before = await recordOf(rig);
      const call = new AbortController();
      const verdict = evaluated(facts, made(5), call.signal);
      await until(() => silent.asked.length > 0, 'a server is asked');
      call.abort('timed-out');
      silent.release();
      assertRefused(await verdict);
      assert.deepEqual(await recordOf(rig), before);
      const [event] = (await eventsOf(rig)).slice(-1);
      assert.ok(event !== undefined && event.outcome !== 'success', JSON.stringify(event));
      assert.deepEqual((await factorOf(rig, 'y1')).lastUsed, undefined);
    });
  }

  it('aborts the requests to the servers', async () => {
    const call = new AbortController();
    const verdict = evaluated({}, made(5), call.signal);
    await until(() => silent.asked.length > 0, 'a server is asked');
    call.abort('disconnected');
    assertRefused(await verdict);
  });

  it('uses no late code, says so, and still counts a wrong one', async () => {
    const call = new AbortController();
    call.abort('disconnected');
    assertRefused(await evaluated({}, press(0), call.signal));
    const [event] = (await eventsOf(rig)).slice(-1);
    assert.deepEqual([event?.outcome, event?.reason], ['abandoned', 'disconnected']);
    assertRefused(await evaluated({}, wrongCodes(rig, 1)[0] ?? '', call.signal));
    assert.deepEqual((await recordOf(rig)).lock, { codes: 1, any: 1 });
    assertAccepted(await answer(rig, {}, press(0)));
  });
});
