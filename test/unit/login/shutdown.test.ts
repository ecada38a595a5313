import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { limits } from '../../../daemon/limits.ts';
import { LoginRig, never, pam, until } from '../../support/login-rig.ts';
import { answer, hello } from '../../support/module-frames.ts';

/** Logins under way when the daemon stops: none is accepted that was not accepted before. */
let rig: LoginRig;
beforeEach(async () => {
  rig = await LoginRig.start();
});
afterEach(() => rig.stop());

const types = (login: { readonly frames: readonly { readonly type: string }[] }) =>
  login.frames.map(({ type }) => type);

function gate(): { readonly open: () => void; readonly passed: Promise<void> } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, passed };
}

describe('when the daemon stops', () => {
  it('logins at a prompt are asked to retry, and are recorded first', async () => {
    let written = false;
    rig.verifier.abandon = async (_login, reason) => {
      rig.verifier.abandoned.push(reason);
      await new Promise((resolve) => setTimeout(resolve, 50));
      written = true;
    };
    const login = rig.begun();
    await login.sees('prompt');
    await rig.server.close();
    assert.ok(written, 'the store is closed next');
    assert.equal(await login.result(), pam.systemErr);
    assert.deepEqual(types(login), ['prompt', 'error', 'result']);
    const [reported] = login.ofType('error');
    assert.ok(reported?.type === 'error' && /try again/.test(reported.text));
    assert.deepEqual(rig.verifier.abandoned, ['stopped']);
  });

  it('an answer under evaluation gets its verdict: its code is used', async () => {
    const { open, passed } = gate();
    rig.verifier.verdict = async () => {
      await passed;
      return { kind: 'accepted', result: 'success', strip: 0 };
    };
    const login = rig.begun();
    await login.sees('prompt');
    login.send(answer('123456'));
    await until(() => rig.verifier.answers.length === 1, 'it is judged');
    const closed = rig.server.close();
    open();
    assert.equal(await login.result(), pam.success);
    await closed;
    assert.deepEqual(rig.verifier.abandoned, []);
  });

  it('a wrong answer leads to no further prompt', async () => {
    const { open, passed } = gate();
    rig.verifier.verdict = async (login) => {
      await passed;
      return { kind: 'refused', result: 'auth-err', again: true, delay: 0, login };
    };
    const login = rig.begun();
    await login.sees('prompt');
    login.send(answer('000000'));
    await until(() => rig.verifier.answers.length === 1, 'it is judged');
    const closed = rig.server.close();
    open();
    assert.equal(await login.result(), pam.systemErr);
    assert.deepEqual(types(login), ['prompt', 'error', 'result']);
    await closed;
  });

  it('a login that needs no prompt is allowed, and one that would be asked is not prompted', async () => {
    for (const [opening, code] of [
      [{ kind: 'done', result: 'ignore' }, pam.ignore],
      [{ kind: 'done', result: 'perm-denied' }, pam.permDenied],
      ['ask', pam.systemErr],
    ] as const) {
      const own = await LoginRig.start();
      const { open, passed } = gate();
      own.verifier.opening = async (facts, host) => {
        await passed;
        return opening === 'ask' ? { kind: 'ask', prompt: 'Code: ', login: { facts, host } } : opening;
      };
      const login = own.begun();
      await until(() => own.verifier.asked.length === 1, 'it is looked up');
      const closed = own.server.close();
      open();
      assert.equal(await login.result(), code);
      assert.deepEqual(login.ofType('prompt'), []);
      await closed;
      await own.stop();
    }
  });

  it('a HELLO under way is read', async () => {
    rig.verifier.opening = async () => ({ kind: 'done', result: 'ignore' });
    const login = rig.client();
    await until(() => rig.server.open() === 1, 'it is connected');
    const closed = rig.server.close();
    login.send(hello());
    assert.equal(await login.result(), pam.ignore);
    await closed;
  });

  it('a delayed refusal is not waited for', async () => {
    rig.verifier.verdict = async (login) => ({
      kind: 'refused',
      result: 'maxtries',
      again: false,
      delay: 60_000,
      login,
    });
    const login = rig.begun();
    await login.sees('prompt');
    login.send(answer('000000'));
    await until(() => rig.verifier.answers.length === 1, 'it is judged');
    await new Promise((resolve) => setImmediate(resolve));
    await rig.server.close();
    assert.equal(await login.result(), pam.systemErr);
  });

  it('no login is waited for longer than the limit, and a later verdict allows none', async () => {
    rig.verifier.verdict = () => never();
    const login = rig.begun();
    await login.sees('prompt');
    login.send(answer('123456'));
    await until(() => rig.verifier.answers.length === 1, 'it is judged');
    const silent = rig.client();
    await until(() => rig.server.open() === 2, 'it is connected');
    const start = performance.now();
    await rig.server.close();
    const took = performance.now() - start;
    assert.ok(took >= limits.stopWait - 50, `${took}`);
    assert.equal(await login.result(), pam.systemErr);
    assert.equal(await silent.result(), pam.systemErr);
  });
});
