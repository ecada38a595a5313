import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { LoginFacts } from '../../../daemon/policy/contract.ts';
import type { Opening } from '../../../daemon/verifier/verifier.ts';
import { type Client, LoginRig, pam, timers, until } from '../../support/login-rig.ts';
import { answer, cancel, hello, u32 } from '../../support/module-frames.ts';

let rig: LoginRig;
beforeEach(async () => {
  rig = await LoginRig.start();
});
afterEach(() => rig.stop());

describe('a login over pam.sock', () => {
  it('goes from HELLO to SUCCESS, and leaves nothing behind', async () => {
    const before = timers();
    const login = rig.begun({ service: 'sshd', user: 'zoë', rhost: '::ffff:192.0.2.1', tty: 'ssh' });
    const prompt = await login.sees('prompt');
    assert.deepEqual(
      [prompt.type === 'prompt' && prompt.text, prompt.type === 'prompt' && prompt.style],
      ['Code: ', 0],
    );
    assert.equal(rig.server.open(), 1);
    login.send(answer('123456'));
    assert.equal(await login.result(), pam.success);
    await rig.nothingIsLeft();
    assert.ok(timers() <= before + 1);
    const {
      user,
      service,
      source,
      peerUid,
      rootSocket: isRoot,
      firstFactorVerified: proven,
    } = rig.verifier.asked[0] ?? ({} as LoginFacts);
    assert.deepEqual(
      [user, service, source, peerUid, isRoot, proven],
      ['zoë', 'sshd', '192.0.2.1', 0, true, true],
    );
    assert.deepEqual(rig.verifier.abandoned, []);
  });

  it('returns MAXTRIES after three wrong answers, and does not verify a fourth', async () => {
    const login = rig.begun();
    for (const [index, code] of ['000001', '000002', '000003'].entries()) {
      await login.sees('prompt', index + 1);
      login.send(answer(code));
    }
    assert.equal(await login.result(), pam.maxtries);
    login.send(answer('123456'));
    await rig.nothingIsLeft();
    assert.deepEqual(rig.verifier.answers, ['000001', '000002', '000003']);
  });

  it('ends at the same answer twice, and verifies it once', async () => {
    const login = rig.begun();
    await login.sees('prompt');
    login.send(answer('password'));
    await login.sees('prompt', 2);
    login.send(answer('password'));
    assert.equal(await login.result(), pam.authErr);
    assert.deepEqual(rig.verifier.answers, ['password']);
  });

  it('returns IGNORE, PERM_DENIED and the reason, without a prompt', async () => {
    rig.verifier.opening = async () => ({ kind: 'done', result: 'ignore' });
    assert.equal(await rig.begun().result(), pam.ignore);
    rig.verifier.opening = async () => ({ kind: 'done', result: 'perm-denied', text: 'Not this way.' });
    const refused = rig.begun();
    assert.equal(await refused.result(), pam.permDenied);
    assert.deepEqual(
      refused.frames.map(({ type }) => type),
      ['error', 'result'],
    );
  });

  it('returns SYSTEM_ERR for an error of verifier or facts, and logs which', async () => {
    rig.verifier.opening = () => Promise.reject(new Error('disk'));
    assert.equal(await rig.begun().result(), pam.systemErr);
    rig.verifier.opening = async (facts, host) => ({ kind: 'ask', prompt: 'Code: ', login: { facts, host } });
    rig.verifier.verdict = () => Promise.reject(new Error('disk'));
    const login = rig.begun();
    await login.sees('prompt');
    login.send(answer('123456'));
    assert.equal(await login.result(), pam.systemErr);
    assert.equal(rig.logged.filter(({ event }) => event === 'login-error').length, 2);
    assert.ok(!JSON.stringify(rig.logged).includes('123456'));
    await rig.nothingIsLeft();
  });

  it('transmits a strip and a final text', async () => {
    rig.verifier.verdict = async () => ({
      kind: 'accepted',
      result: 'success',
      strip: 6,
      text: '3 keys are left.',
    });
    const login = rig.begun({ mode: Buffer.from([1]) });
    await login.sees('prompt');
    login.send(answer('hunter2123456'));
    await login.result();
    assert.deepEqual(
      login.frames.slice(1).map(({ at: _, ...frame }) => frame),
      [
        { type: 'info', text: '3 keys are left.' },
        { type: 'result', code: pam.success, strip: 6 },
      ],
    );
  });

  for (const [what, bytes] of [
    ['rubbish', Buffer.alloc(64, 0xff)],
    ['a frame over the limit', u32(16_385)],
    ['an ANSWER first', answer('123456')],
    ['another version', hello({ version: Buffer.from([2]) })],
    ['a frame of the daemon', Buffer.from('00000001' + '14', 'hex')],
    ['two HELLOs', Buffer.concat([hello(), hello()])],
    ['an answer behind HELLO that nobody asked for', Buffer.concat([hello(), answer('123456')])],
  ] as const) {
    it(`returns SYSTEM_ERR for ${what}, and allows no login`, async () => {
      const login = rig.client();
      login.send(bytes);
      assert.equal(await login.result(), pam.systemErr);
      await rig.nothingIsLeft();
      assert.ok(!JSON.stringify(rig.logged).includes('123456'));
      assert.deepEqual(rig.verifier.answers, []);
    });
  }

  it('ignores half a HELLO, and reads one that arrives byte by byte', async () => {
    const login = rig.client();
    const bytes = hello();
    for (const byte of bytes.subarray(0, -1)) login.send(Buffer.from([byte]));
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.deepEqual([rig.verifier.asked, login.frames], [[], []]);
    login.send(bytes.subarray(-1));
    await login.sees('prompt');
  });
});

describe('a client that disconnects', () => {
  it('at the prompt is recorded once, and leaves nothing behind', async () => {
    for (const leave of [
      (login: Client): unknown => login.socket.destroy(),
      (login: Client): unknown => login.socket.end(),
    ]) {
      const before = rig.verifier.abandoned.length;
      const login = rig.begun();
      await login.sees('prompt');
      leave(login);
      await rig.nothingIsLeft();
      assert.equal(rig.verifier.abandoned.length, before + 1);
    }
    assert.ok(rig.verifier.abandoned.every((reason) => reason === 'disconnected'));
  });

  it('with ^C gets AUTH_ERR and is recorded once', async () => {
    const login = rig.begun();
    await login.sees('prompt');
    login.send(cancel);
    assert.equal(await login.result(), pam.authErr);
    await rig.nothingIsLeft();
    assert.deepEqual(rig.verifier.abandoned, ['cancelled']);
  });

  it('while the verifier works interrupts nothing, and leaves nothing behind', async () => {
    const before = timers();
    let open: (opening: Opening) => void = () => undefined;
    rig.verifier.opening = () =>
      new Promise((resolve) => {
        open = resolve;
      });
    const login = rig.begun();
    await until(() => rig.verifier.asked.length === 1, 'asked');
    login.socket.destroy();
    await rig.nothingIsLeft();
    const [facts] = rig.verifier.asked;
    assert.ok(facts);
    open({ kind: 'ask', prompt: 'Code: ', login: { facts, host: rig.host } });
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(rig.server.open(), 0);
    assert.ok(timers() <= before + 1, 'no timer is left');
  });

  it('but does not close its end leaves nothing behind after RESULT', async () => {
    const login = rig.client(rig.rootSocket, true);
    login.send(hello());
    await login.sees('prompt');
    login.send(answer('123456'));
    await login.sees('result');
    const drops = setInterval(() => login.send(Buffer.from([0])), 20);
    await rig.nothingIsLeft();
    clearInterval(drops);
  });

  it('or violates the protocol at a prompt is recorded too', async () => {
    const login = rig.begun();
    await login.sees('prompt');
    login.send(hello());
    assert.equal(await login.result(), pam.systemErr);
    await rig.nothingIsLeft();
    assert.equal(rig.verifier.abandoned.length, 1);
  });
});

describe('a thousand half-open conversations', () => {
  it('do not prevent legitimate ones, and leave nothing behind', async () => {
    const honest = async (): Promise<void> => {
      const login = rig.begun({ user: 'honest' });
      await login.sees('prompt');
      login.send(answer('123456'));
      assert.equal(await login.result(), pam.success);
    };
    await honest();
    const half = Array.from({ length: 1_000 }, (_, each) => rig.begun({ user: `user${each}` }));
    await until(() => half.every(({ frames }) => frames.length > 0), 'all are asked');
    assert.equal(rig.server.open(), 1_000);
    for (let each = 0; each < 10; each += 1) await honest();
    for (const each of half) each.socket.destroy();
    await rig.nothingIsLeft();
    assert.equal(rig.verifier.abandoned.length, 1_000);
  });
});
