import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { after, before, describe, it } from 'node:test';
import { pam, result, withdraw } from '../support/fake-daemon.ts';
import { ModuleRig } from '../support/module-rig.ts';
import { ask, ends, prompted, scene, suites } from '../support/terminal-scene.ts';

/** How a prompt at the terminal restores it, on every way out. */
const rig = new ModuleRig();
before(() => rig.build());
after(() => rig.remove());

const { SIGINT, SIGQUIT, SIGHUP, SIGTERM, SIGALRM, SIGCONT } = constants.signals;

describe('the terminal has its former settings', suites, () => {
  for (const code of [pam.authErr, pam.maxtries, pam.permDenied, pam.systemErr]) {
    it(`after a refusal (${code}) while half a code is typed`, async () => {
      const { login, peer } = await prompted(rig);
      login.press('123');
      await login.state();
      peer.send(result(code));
      await ends(login, code);
      assert.equal(peer.received.length, 1);
    });
  }

  it('when the daemon dies', async () => {
    const { login, peer } = await prompted(rig);
    peer.close();
    await ends(login, pam.systemErr);
  });

  it('when the deadline passes', async () => {
    const { login, hears } = await prompted(rig, { options: ['timeout=5'] });
    login.press('123');
    assert.equal(await hears(), 'cancel');
    await ends(login, pam.systemErr);
    const { ms } = (await login.outcome).module;
    assert.ok(ms >= 4950, `${ms} ms`);
  });

  it('when the deadline passes and ^S holds the prompt back', async () => {
    const { login, peer, hears } = await scene(rig, { options: ['timeout=5'] });
    login.press('\x13');
    await login.state();
    peer.send(ask());
    assert.equal(await hears(), 'cancel');
    assert.equal((await login.outcome).code, pam.systemErr);
    const { echo, same } = await login.ended();
    assert.deepEqual({ echo, same }, { echo: true, same: true });
  });

  it('after ^D', async () => {
    const { login, hears } = await prompted(rig);
    login.press('\x04');
    assert.equal(await hears(), 'cancel');
    await ends(login, pam.authErr);
  });

  for (const [what, key, number] of [
    ['^C', '\x03', SIGINT],
    ['^\\', '\x1c', SIGQUIT],
  ] as const) {
    it(`after ${what} in a program that has it blocked, as sudo has`, async () => {
      const { login, hears } = await prompted(rig, { words: ['block'] });
      login.press(`12${key}`);
      assert.equal(await hears(), 'cancel');
      await ends(login, pam.authErr);
    });
    it(`after ${what} in a program that ignores it`, async () => {
      const { login, hears } = await prompted(rig, { terminal: [`ignore=${number}`] });
      login.press(`12${key}`);
      assert.equal(await hears(), 'cancel');
      await ends(login, pam.authErr);
    });
    it(`after ${what} in a program that it ends`, async () => {
      const { login, hears } = await prompted(rig);
      login.press(`12${key}`);
      assert.equal(await hears(), 'the end');
      const { signal, echo, same, left } = await login.ended();
      assert.deepEqual({ signal, echo, same, left }, { signal: number, echo: true, same: true, left: '' });
    });
  }

  for (const number of [SIGTERM, SIGHUP, SIGALRM]) {
    it(`when signal ${number} ends the program`, async () => {
      const { login, hears } = await prompted(rig);
      login.signal(number);
      assert.equal(await hears(), 'the end');
      const { signal, echo, same } = await login.ended();
      assert.deepEqual({ signal, echo, same }, { signal: number, echo: true, same: true });
    });
    it(`and the prompt continues when the program ignores signal ${number}`, async () => {
      const { login, peer, hears } = await prompted(rig, { terminal: [`ignore=${number}`] });
      login.signal(number);
      await new Promise((resolve) => setTimeout(resolve, 300));
      login.press('1\r');
      assert.equal(await hears(), 'answer 1');
      peer.send(result(pam.success));
      await ends(login, pam.success);
    });
  }

  it('while ^Z has stopped the program, which then prompts again', async () => {
    const { login, peer, hears } = await prompted(rig);
    for (const time of [1, 2]) {
      login.press('12\x1a');
      const { echo, same } = await login.stopped(time);
      assert.deepEqual({ echo, same }, { echo: true, same: true });
      login.foreground();
      await login.sees(/code: /, time + 1);
      assert.equal((await login.state()).echo, false);
    }
    login.press('755224\r');
    assert.equal(await hears(), 'answer 755224');
    peer.send(result(pam.success));
    await ends(login, pam.success);
  });

  it('while the program, stopped by ^Z, is continued in the background', async () => {
    const { login, peer, hears } = await prompted(rig);
    login.press('\x1a');
    await login.stopped();
    login.signal(SIGCONT);
    const { echo, same } = await login.stopped(2);
    assert.deepEqual({ echo, same }, { echo: true, same: true });
    login.foreground();
    await login.sees(/code: /, 2);
    login.press('755224\r');
    assert.equal(await hears(), 'answer 755224');
    peer.send(result(pam.success));
    await ends(login, pam.success);
  });

  it('when the key is touched while ^Z has stopped the program', async () => {
    const { login, peer, hears } = await prompted(rig);
    login.press('\x1a');
    await login.stopped();
    peer.send(withdraw());
    login.foreground();
    assert.equal(await hears(), 'withdrawn');
    peer.send(result(pam.success));
    await ends(login, pam.success);
  });

  it('a terminal that hangs up cancels', async () => {
    const { login, hears } = await prompted(rig, { terminal: [`ignore=${SIGHUP}`] });
    login.hangUp();
    assert.equal(await hears(), 'cancel');
    assert.equal((await login.outcome).code, pam.authErr);
  });

  it('a terminal that disappears before the prompt cancels', async () => {
    const { login, peer, hears } = await scene(rig, { terminal: [`ignore=${SIGHUP}`] });
    login.hangUp();
    assert.equal((await login.state()).gone, true);
    peer.send(ask());
    assert.equal(await hears(), 'cancel');
    const { code, logs } = await login.outcome;
    assert.equal(code, pam.authErr);
    assert.match(logs.join('\n'), /cannot ask at the terminal/);
  });
});
