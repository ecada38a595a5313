import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Asserted } from '../../../daemon/host/contract.ts';
import { limits } from '../../../daemon/limits.ts';
import { failed } from '../../support/fake-keys.ts';
import { type Client, LoginRig, pam, until } from '../../support/login-rig.ts';
import { answer, cancel, withdrawn } from '../../support/module-frames.ts';

/** Logins that a security key may answer: the screen and the outcome. */

let rig: LoginRig;
beforeEach(async () => {
  rig = await LoginRig.start();
});
afterEach(() => rig.stop());

const question = {
  groups: [{ rpId: 'login.example.org', credentialIds: ['b25l'] }],
  userVerification: 'discouraged',
} as const;

/** @param terminal the prompt can be withdrawn */
function begin(terminal: boolean, offer: { readonly plugged?: boolean } = {}): Client {
  rig.verifier.opening = async (facts, host) => ({
    kind: 'ask',
    prompt: 'Code: ',
    login: { facts, host },
    key: { place: 'here', question, plugged: true, typed: 'verification code', ...offer },
  });
  rig.verifier.verdict = async (login, text) =>
    text === '123456' || text === 'touched b25l'
      ? { kind: 'accepted', result: 'success', strip: 0 }
      : { kind: 'refused', result: 'auth-err', again: true, delay: 0, login, text: 'Wrong.' };
  return rig.begun(terminal ? { terminal: Buffer.from([1]) } : {});
}

const touched = (credentialId = 'b25l'): Asserted => ({
  kind: 'asserted',
  credentialId: Buffer.from(credentialId, 'base64url'),
  authenticatorData: Buffer.from('data'),
  signature: Buffer.from('signature'),
});

const promptOf = async (login: Client, number = 1) => {
  const prompt = await login.sees('prompt', number);
  return prompt.type === 'prompt' ? [prompt.text, prompt.style] : [];
};
const textsOf = (login: Client) =>
  login.frames.flatMap((frame) => ('text' in frame && frame.type !== 'prompt' ? [frame.text] : []));

describe('at a terminal whose prompt can be withdrawn', () => {
  it('the key blinks beside the prompt, and a touch is accepted once the prompt was withdrawn', async () => {
    const login = begin(true);
    assert.deepEqual(await promptOf(login), ['Touch your security key, or type a verification code: ', 2]);
    const asked = await rig.keys.asks();
    assert.deepEqual(
      asked.request.groups.map(({ rpId, credentialIds }) => [rpId, credentialIds.map(String)]),
      [['login.example.org', ['one']]],
    );
    assert.equal(asked.request.clientDataHash.length, 32);
    asked.answer(touched());
    await login.sees('withdraw');
    assert.deepEqual(rig.verifier.answers, []);
    assert.deepEqual(login.ofType('result'), []);
    login.send(withdrawn);
    assert.equal(await login.result(), pam.success);
    assert.deepEqual(rig.verifier.answers, ['touched b25l']);
  });

  it('a typed code is accepted too, and the key stops blinking', async () => {
    const login = begin(true);
    await login.sees('prompt');
    const asked = await rig.keys.asks();
    login.send(answer('123456'));
    assert.equal(await login.result(), pam.success);
    await until(() => asked.cancelled, 'the key to be let go');
  });

  it('^C ends it, the key stops blinking, and one event says so', async () => {
    const login = begin(true);
    await login.sees('prompt');
    const asked = await rig.keys.asks();
    login.send(cancel);
    assert.equal(await login.result(), pam.authErr);
    await until(() => asked.cancelled, 'the key to be let go');
    assert.deepEqual(rig.verifier.abandoned, ['cancelled']);
  });

  it('a program that disconnects releases the key', async () => {
    const login = begin(true);
    await login.sees('prompt');
    const asked = await rig.keys.asks();
    login.socket.destroy();
    await until(() => asked.cancelled, 'the key to be let go');
    await rig.nothingIsLeft();
  });

  it('a code sent as the key was touched is dropped: the key has answered', async () => {
    const login = begin(true);
    await login.sees('prompt');
    (await rig.keys.asks()).answer(touched());
    await login.sees('withdraw');
    login.send(answer('999999'));
    assert.equal(await login.result(), pam.success);
    assert.deepEqual(rig.verifier.answers, ['touched b25l']);
  });

  it('a code sent as the key failed is verified', async () => {
    const login = begin(true);
    await login.sees('prompt');
    (await rig.keys.asks()).answer(failed('key-failed'));
    await login.sees('withdraw');
    login.send(answer('123456'));
    assert.equal(await login.result(), pam.success);
    assert.deepEqual(rig.verifier.answers, ['123456']);
  });

  it('a wrong key is named, and another may be touched', async () => {
    const login = begin(true);
    await login.sees('prompt');
    (await rig.keys.asks()).answer(failed('wrong-key'));
    await login.sees('withdraw');
    login.send(withdrawn);
    await login.sees('prompt', 2);
    assert.match(textsOf(login).join(), /not one of yours/);
    (await rig.keys.asks(2)).answer(touched());
    await login.sees('withdraw', 2);
    login.send(withdrawn);
    assert.equal(await login.result(), pam.success);
  });

  it('wrong keys count as answers: after three the call ends', async () => {
    const login = begin(true);
    for (let number = 1; number <= limits.answersPerCall; number += 1) {
      await login.sees('prompt', number);
      (await rig.keys.asks(number)).answer(failed('wrong-key'));
      await login.sees('withdraw', number);
      login.send(withdrawn);
    }
    assert.equal(await login.result(), pam.maxtries);
    assert.equal(rig.keys.asserted.length, limits.answersPerCall);
    assert.deepEqual(rig.verifier.answers, []);
    // The verifier evaluated nothing, but the audit trail must record the attempt.
    assert.deepEqual(rig.verifier.abandoned, ['cancelled']);
  });

  it('after other errors no key blinks until Enter', async () => {
    const login = begin(true);
    await login.sees('prompt');
    (await rig.keys.asks()).answer(failed('pin-blocked'));
    await login.sees('withdraw');
    login.send(withdrawn);
    assert.deepEqual(await promptOf(login, 2), [
      'Press Enter to use your security key, or type a verification code: ',
      0,
    ]);
    assert.match(textsOf(login).join(), /PIN .*blocked/);
    assert.equal(rig.keys.asserted.length, 1);
    login.send(answer(''));
    (await rig.keys.asks(2)).watch({ kind: 'touch' });
    assert.equal(
      (await login.sees('info')).type === 'info' && textsOf(login).at(-1),
      'Touch your security key.',
    );
    (await rig.keys.asks(2)).answer(touched());
    assert.equal(await login.result(), pam.success);
  });

  it('the PIN is asked for once the prompt was withdrawn, is sent only to the key, and is not an answer', async () => {
    const login = begin(true);
    await login.sees('prompt');
    const asked = await rig.keys.asks();
    asked.watch({ kind: 'pin', why: 'first' });
    await login.sees('withdraw');
    login.send(withdrawn);
    assert.deepEqual(await promptOf(login, 2), ['PIN of your security key: ', 0]);
    login.send(answer('1234'));
    await until(() => asked.pins.length === 1, 'the PIN');
    asked.watch({ kind: 'pin', why: 'wrong', retries: 7 });
    assert.deepEqual(await promptOf(login, 3), [
      'That PIN was wrong. 7 attempts left before the key locks. PIN of your security key: ',
      0,
    ]);
    login.send(answer('4321\r'));
    await until(() => asked.pins.length === 2, 'the PIN');
    asked.watch({ kind: 'touch' });
    await login.sees('info');
    asked.answer(touched());
    assert.equal(await login.result(), pam.success);
    assert.deepEqual(asked.pins, ['1234', '4321']);
    assert.deepEqual(rig.verifier.answers, ['touched b25l']);
    assert.doesNotMatch(JSON.stringify(rig.logged), /1234|4321/);
  });

  it('an empty PIN cancels the key', async () => {
    const login = begin(true);
    await login.sees('prompt');
    const asked = await rig.keys.asks();
    asked.watch({ kind: 'pin', why: 'first' });
    await login.sees('withdraw');
    login.send(withdrawn);
    await login.sees('prompt', 2);
    login.send(answer('\r'));
    assert.match(String((await promptOf(login, 3))[0]), /^Press Enter/);
    assert.ok(asked.cancelled);
    assert.deepEqual(asked.pins, []);
  });

  it('a key removed while its PIN is typed does not receive it', async () => {
    const login = begin(true);
    await login.sees('prompt');
    const asked = await rig.keys.asks();
    asked.watch({ kind: 'pin', why: 'first' });
    await login.sees('withdraw');
    login.send(withdrawn);
    await login.sees('prompt', 2);
    asked.answer(failed('key-failed'));
    login.send(answer('1234'));
    await login.sees('prompt', 3);
    assert.match(textsOf(login).join(), /pulled out/);
    assert.deepEqual(asked.pins, []);
  });

  it('a touch while a typed code is verified counts once the code is refused', async () => {
    const login = begin(true);
    await login.sees('prompt');
    let evaluate = (): void => undefined;
    const evaluating = new Promise<void>((resolve) => {
      evaluate = resolve;
    });
    const { verdict } = rig.verifier;
    rig.verifier.verdict = async (given, text) => {
      if (text === '999999') await evaluating;
      return verdict(given, text);
    };
    login.send(answer('999999'));
    await until(() => rig.verifier.answers.length === 1, 'the code to be judged');
    (await rig.keys.asks()).answer(touched());
    evaluate();
    await login.sees('withdraw');
    login.send(withdrawn);
    assert.equal(await login.result(), pam.success);
    assert.deepEqual(rig.verifier.answers, ['999999', 'touched b25l']);
  });

  it('Enter prompts again, but not endlessly', async () => {
    const login = begin(true);
    for (let number = 1; number <= limits.answersPerCall; number += 1) {
      await login.sees('prompt', number);
      login.send(answer(''));
    }
    assert.equal(await login.result(), pam.maxtries);
    assert.equal(rig.keys.asserted.length, 1);
    assert.deepEqual(rig.verifier.abandoned, ['cancelled']);
  });

  it('an empty PIN as the last answer ends the call, and is audited', async () => {
    const login = begin(true);
    for (let number = 1; number < limits.answersPerCall; number += 1) {
      await login.sees('prompt', number);
      login.send(answer(''));
    }
    await login.sees('prompt', limits.answersPerCall);
    (await rig.keys.asks()).watch({ kind: 'pin', why: 'first' });
    await login.sees('withdraw');
    login.send(withdrawn);
    await login.sees('prompt', limits.answersPerCall + 1);
    login.send(answer(''));
    assert.equal(await login.result(), pam.maxtries);
    assert.deepEqual(rig.verifier.abandoned, ['cancelled']);
  });

  it('wrong codes to the end leave only the events of their verdicts', async () => {
    const login = begin(true);
    for (let number = 1; number <= limits.answersPerCall; number += 1) {
      await login.sees('prompt', number);
      login.send(answer(`11111${number}`));
    }
    assert.equal(await login.result(), pam.maxtries);
    assert.deepEqual(rig.verifier.abandoned, []);
  });

  it('the last event of a key counts while a refusal is delayed', async () => {
    const login = begin(true);
    await login.sees('prompt');
    const asked = await rig.keys.asks();
    rig.verifier.verdict = async (given) => {
      setTimeout(() => {
        asked.watch({ kind: 'pin', why: 'first' });
        asked.answer(failed('key-failed'));
      }, 50);
      return { kind: 'refused', result: 'auth-err', again: true, delay: 300, login: given, text: 'Wrong.' };
    };
    login.send(answer('999999'));
    await login.sees('withdraw');
    login.send(withdrawn);
    assert.match(String((await promptOf(login, 3))[0]), /^Press Enter/);
    assert.match(textsOf(login).join(), /pulled out/);
  });

  it('WITHDRAWN without a WITHDRAW violates the protocol', async () => {
    const login = begin(true);
    await login.sees('prompt');
    login.send(withdrawn);
    assert.equal(await login.result(), pam.systemErr);
  });
});

describe('where the program keeps its prompt', () => {
  it('the key blinks, and Enter submits its answer', async () => {
    const login = begin(false);
    assert.deepEqual(await promptOf(login), [
      'Touch your security key and press Enter, or type a verification code: ',
      0,
    ]);
    (await rig.keys.asks()).answer(touched());
    login.send(answer(''));
    assert.equal(await login.result(), pam.success);
    assert.deepEqual(login.ofType('withdraw'), []);
  });

  it('Enter before the touch waits for it, with WAITs', async () => {
    const login = begin(false);
    await login.sees('prompt');
    login.send(answer(''));
    assert.equal((await login.sees('info')).type === 'info' && textsOf(login)[0], 'Touch your security key.');
    await login.sees('wait');
    (await rig.keys.asks()).answer(touched());
    assert.equal(await login.result(), pam.success);
    assert.equal(rig.keys.asserted.length, 1);
  });

  it('a typed code is verified while the key blinks', async () => {
    const login = begin(false);
    await login.sees('prompt');
    login.send(answer('123456'));
    assert.equal(await login.result(), pam.success);
  });

  it('a key that needs its PIN gets it after Enter', async () => {
    const login = begin(false);
    await login.sees('prompt');
    const asked = await rig.keys.asks();
    asked.watch({ kind: 'pin', why: 'first' });
    login.send(answer(''));
    assert.equal((await promptOf(login, 2))[0], 'PIN of your security key: ');
    login.send(answer('1234'));
    await until(() => asked.pins.length === 1, 'the PIN');
    asked.answer(touched());
    assert.equal(await login.result(), pam.success);
  });
});

describe('where no key is plugged in', () => {
  for (const terminal of [true, false])
    it(`no key blinks before Enter (terminal: ${terminal})`, async () => {
      const login = begin(terminal, { plugged: false });
      assert.deepEqual(await promptOf(login), [
        'Press Enter to use your security key, or type a verification code: ',
        0,
      ]);
      assert.equal(rig.keys.asserted.length, 0);
      login.send(answer(''));
      const asked = await rig.keys.asks();
      asked.watch({ kind: 'keys', count: 0 });
      await login.sees('info');
      asked.watch({ kind: 'touch' });
      await login.sees('info', 2);
      assert.deepEqual(textsOf(login), ['Plug in your security key.', 'Touch your security key.']);
      asked.answer(touched());
      assert.equal(await login.result(), pam.success);
    });

  it('if nothing can be typed either, the prompt says so', async () => {
    rig.verifier.opening = async (facts, host) => ({
      kind: 'ask',
      prompt: 'Second factor: ',
      login: { facts, host },
      key: { place: 'here', question, plugged: false },
    });
    assert.deepEqual(await promptOf(rig.begun()), ['Press Enter to use your security key: ', 0]);
  });
});

describe('any answer of a key', () => {
  it('is verified: a refused one allows no login', async () => {
    const login = begin(true);
    await login.sees('prompt');
    (await rig.keys.asks()).answer(touched('b3RoZXI'));
    await login.sees('withdraw');
    login.send(withdrawn);
    assert.match(String((await promptOf(login, 2))[0]), /^Press Enter/);
    assert.deepEqual(rig.verifier.answers, ['touched b3RoZXI']);
    assert.deepEqual(login.ofType('result'), []);
  });

  it('each request has a separate challenge', async () => {
    const logins = [begin(true), begin(true)];
    for (const login of logins) await login.sees('prompt');
    const [first, second] = [await rig.keys.asks(1), await rig.keys.asks(2)];
    assert.notDeepEqual(first.request.clientDataHash, second.request.clientDataHash);
  });

  it('later events of an earlier request are dropped', async () => {
    const login = begin(true);
    await login.sees('prompt');
    const first = await rig.keys.asks();
    first.answer(failed('wrong-key'));
    await login.sees('withdraw');
    login.send(withdrawn);
    await login.sees('prompt', 2);
    await rig.keys.asks(2);
    first.watch({ kind: 'pin', why: 'first' });
    login.send(answer('123456'));
    assert.equal(await login.result(), pam.success);
    assert.equal(login.ofType('withdraw').length, 1);
  });
});

it('without an accepted key none blinks, and Enter is an ordinary answer', async () => {
  const login = rig.begun({ terminal: Buffer.from([1]) });
  assert.deepEqual(await promptOf(login), ['Code: ', 0]);
  login.send(answer(''));
  await login.sees('prompt', 2);
  assert.deepEqual(rig.verifier.answers, ['']);
  assert.equal(rig.keys.asserted.length, 0);
});
