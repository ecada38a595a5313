import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Verdict } from '../../../daemon/verifier/verifier.ts';
import { LoginRig, never, pam, until } from '../../support/login-rig.ts';
import { answer, hello, u32 } from '../../support/module-frames.ts';

/** They wait for seconds, so they run concurrently. */
function within(what: string, test: (rig: LoginRig) => Promise<void>): void {
  it(what, async () => {
    const rig = await LoginRig.start();
    try {
      await test(rig);
    } finally {
      await rig.stop();
    }
  });
}

describe('waiting', { concurrency: true }, () => {
  within('WAIT is sent while nothing else is, repeatedly; the end is before the deadline', async (rig) => {
    rig.verifier.opening = () => never();
    const slow = rig.begun({ deadline: u32(6_000) });
    const short = rig.begun({ deadline: u32(1_500) });
    await slow.sees('wait');
    assert.equal(await short.result(), pam.authErr);
    const early = short.frames.at(-1)?.at ?? 0;
    assert.ok(early >= 450, `ended after ${early} ms`);
    // The longer one still waits: a deadline ends only its own call.
    assert.deepEqual(slow.ofType('result'), []);
    assert.equal(await slow.result(), pam.authErr);
    const types = slow.frames.map(({ type }) => type);
    assert.deepEqual([...new Set(types)], ['wait', 'result']);
    assert.ok(types.length >= 3, types.join());
    const end = slow.frames.at(-1)?.at ?? 0;
    assert.ok(end >= 4_900, `ended after ${end} ms`);
    await rig.nothingIsLeft();
  });

  within('also at an answer, and none is sent while a prompt is open', async (rig) => {
    rig.verifier.verdict = async (login) => {
      await new Promise((resolve) => setTimeout(resolve, 700));
      return { kind: 'refused', result: 'auth-err', again: true, delay: 900, login };
    };
    const login = rig.begun();
    await login.sees('prompt');
    await new Promise((resolve) => setTimeout(resolve, 700));
    assert.deepEqual(login.ofType('wait'), []);
    login.send(answer('000000'));
    await login.sees('prompt', 2);
    assert.ok(login.ofType('wait').length >= 1);
    const types = login.frames.map(({ type }) => type);
    assert.deepEqual([types[0], types.at(-1)], ['prompt', 'prompt']);
    assert.ok(types.slice(1, -1).every((type) => type === 'wait'));
  });

  within('a refusal is delayed as requested, only before its own frame', async (rig) => {
    rig.verifier.verdict = async (login, text) => ({
      kind: 'refused',
      result: 'auth-err',
      again: true,
      delay: Number(text),
      login,
    });
    const held = rig.begun();
    const other = rig.begun();
    await Promise.all([held.sees('prompt'), other.sees('prompt')]);
    const start = performance.now();
    held.send(answer('400'));
    other.send(answer('0'));
    const free = await other.sees('prompt', 2);
    const late = await held.sees('prompt', 2);
    const took = performance.now() - start;
    assert.ok(took >= 395, `${took} ms`);
    assert.ok(free.at < late.at, `${free.at} and ${late.at} ms`);
  });

  within('a verdict after the deadline is dropped, whatever it is', async (rig) => {
    let decide: (verdict: Verdict) => void = () => undefined;
    rig.verifier.verdict = () =>
      new Promise((resolve) => {
        decide = resolve;
      });
    const login = rig.begun({ deadline: u32(1_600) });
    await login.sees('prompt');
    login.send(answer('123456'));
    assert.equal(await login.result(), pam.authErr);
    decide({ kind: 'accepted', result: 'success', strip: 0 });
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal(login.ofType('result').length, 1);
    await rig.nothingIsLeft();
    assert.deepEqual(rig.verifier.abandoned, []);
  });

  within('the deadline at a prompt is AUTH_ERR, and reported once', async (rig) => {
    const login = rig.begun({ deadline: u32(1_300) });
    await login.sees('prompt');
    assert.equal(await login.result(), pam.authErr);
    login.socket.destroy();
    await rig.nothingIsLeft();
    assert.deepEqual(rig.verifier.abandoned, ['timed-out']);
  });

  within(
    'a program that sends no HELLO within 5 s is refused, and learns that a daemon is there',
    async (rig) => {
      const silent = rig.client();
      const half = rig.client();
      half.send(hello().subarray(0, 20));
      const trickle = rig.client();
      const bytes = hello();
      let sent = 0;
      const drops = setInterval(() => {
        trickle.send(bytes.subarray(sent, sent + 1));
        sent += 1;
      }, 200);
      await until(() => silent.ended && half.ended && trickle.ended, 'all are closed', 5_600);
      clearInterval(drops);
      for (const each of [silent, half, trickle]) assert.equal(await each.result(), pam.systemErr);
      await rig.nothingIsLeft();
    },
  );
});
