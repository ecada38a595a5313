import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { beforeEach, describe, it } from 'node:test';
import type { CloudYubikey } from '../../../daemon/factors/yubikey.ts';
import { limits } from '../../../daemon/limits.ts';
import type { LoginFacts } from '../../../daemon/policy/contract.ts';
import { mayBeAnOtp, otpForServers } from '../../../daemon/verifier/evaluate-answer.ts';
import { createResponsePadding } from '../../../daemon/verifier/response-padding.ts';
import { hostWith } from '../../support/host.ts';
import {
  answered,
  assertAccepted,
  assertRefused,
  hotpFactor,
  makeRig,
  opened,
  press,
  put,
  type Rig,
  wrongCode,
} from '../../support/verifier-rig.ts';
import { otp, programmed } from '../../support/yubikey.ts';
import { realm } from '../policy/support.ts';

/** The time of a refusal of an unverified login: the same for every name, whatever work is done for an account. */

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
/** With the key, without it, without any factor, and no account. */
const names = ['alice', 'bob', 'bare', 'nobody'];

let rig: Rig;
let next = 0;
beforeEach(async () => {
  rig = makeRig(realm({ yubikey: { servers } }));
  rig.accounts.add('bare', 1010);
  await put(rig, { factors: [hotpFactor(), key] });
  await put(rig, { account: 'bob', factors: [hotpFactor()] });
});

/** @returns milliseconds from the answer to its refusal */
async function heardAfter(user: string, text: string, more: Partial<LoginFacts> = {}): Promise<number> {
  next += 1;
  const source = `198.51.${next >> 8}.${next & 255}`;
  const login = await opened(rig, { user, firstFactorVerified: false, rhost: source, source, ...more });
  const began = rig.clock.mono;
  const { delay } = assertRefused(await answered(rig, login, text));
  return rig.clock.mono - began + delay;
}

describe('an OTP for which servers may be asked', () => {
  for (const mode of ['prompt', 'password-and-code'] as const) {
    it(`is refused after the same time, whichever account has the key and however long its servers take (${mode})`, async () => {
      const text = `${mode === 'prompt' ? '' : 'hunter2'}${otp({ use: 9, session: 0 })}`;
      const times: number[] = [];
      for (const took of [1, 249, 251, 1_700, limits.unverifiedValidationWait]) {
        rig.servers = async () => {
          rig.clock.mono += took;
          return 'wrong';
        };
        for (const user of names) times.push(await heardAfter(user, text, { mode }));
      }
      assert.deepEqual(new Set(times), new Set([limits.unverifiedOtpHold + limits.refusalBeat]));
    });
  }

  it('is no slower if no server is configured', async () => {
    rig.setRealms(realm());
    for (const user of names)
      assert.equal(await heardAfter(user, otp({ use: 9, session: 0 })), limits.refusalBeat);
  });

  it('is accepted at once if it is right', async () => {
    rig.servers = async () => 'valid';
    const login = await opened(rig, { firstFactorVerified: false });
    assert.equal(assertAccepted(await answered(rig, login, otp({ use: 9, session: 0 }))).delay, undefined);
  });

  it('gets less time than its refusal takes', async () => {
    const asked: number[] = [];
    rig.servers = async (_servers, _otp, within) => {
      asked.push(within);
      return 'unavailable';
    };
    await heardAfter('alice', otp({ use: 9, session: 0 }));
    await answered(rig, await opened(rig), otp({ use: 8, session: 0 }));
    assert.deepEqual(asked, [limits.unverifiedValidationWait, limits.validationWait]);
    assert.ok(limits.unverifiedValidationWait + limits.refusalBeat <= limits.unverifiedOtpHold);
  });

  it('is recognised by its format, for every answer that could contain one', () => {
    /** As a Japanese input method writes it. */
    const wide = (text: string): string =>
      [...text].map((letter) => String.fromCodePoint((letter.codePointAt(0) ?? 0) + 0xfee0)).join('');
    const symbols = 'cbdefghijklnrtuvCBDEFGHIJKLNRTUV';
    for (let each = 0; each < 2_000; each += 1) {
      const idLength = 2 * (1 + randomInt(8));
      const text = Array.from({ length: idLength + 32 }, () => symbols.charAt(randomInt(32))).join('');
      const factors = [{ ...key, publicId: text.slice(0, idLength).toLowerCase() }];
      for (const [where, typed] of [
        ['whole', text],
        ['whole', ` ${text}\t`],
        ['whole', `${wide(text)}\r`],
        ['tail', text],
        ['tail', `hunter2${text}`],
        ['tail', `hunter2 ${wide(text)} \r`],
      ] as const) {
        const answer = Buffer.from(typed);
        const found = otpForServers({ factors, answer, where, codesLocked: false });
        assert.ok(found === undefined || mayBeAnOtp(answer, where), typed);
        assert.equal(found, text.toLowerCase(), typed);
      }
    }
  });
});

describe('under load', () => {
  it('every name waits as long as the slowest recent one', async () => {
    const account = rig.store.account.bind(rig.store);
    rig.store.account = (name) => {
      rig.clock.mono += 900;
      return account(name);
    };
    await heardAfter('alice', wrongCode(rig));
    const times = new Set<number>();
    for (const user of names) times.add(await heardAfter(user, wrongCode(rig)));
    assert.deepEqual(times, new Set([1_000]));
    rig.clock.pass(limits.slowBeatFor);
    assert.equal(await heardAfter('nobody', wrongCode(rig)), limits.refusalBeat);
  });

  it('within a bound, and requests to servers do not count as load', () => {
    let now = 0;
    const beat = createResponsePadding(() => now);
    const login = { facts: {} as LoginFacts, host: hostWith() };
    const refusal = { kind: 'refused', result: 'auth-err', again: false, delay: 0, login } as const;
    const total = (taken: number, mayAsk = false): number =>
      taken + assertRefused(beat.hold(refusal, taken, mayAsk)).delay;
    assert.equal(total(1), 250);
    assert.equal(total(3_000, true), 4_250);
    assert.equal(total(1), 250);
    assert.equal(total(60_000), 60_250);
    assert.equal(total(1), limits.slowestBeat + 250);
    now += limits.slowBeatFor;
    assert.equal(total(1), 250);
  });

  it('a verified login is not delayed', async () => {
    await heardAfter('alice', otp({ use: 9, session: 0 }));
    assert.equal(assertRefused(await answered(rig, await opened(rig), wrongCode(rig))).delay, 0);
    assertAccepted(await answered(rig, await opened(rig), press(0)));
  });
});
