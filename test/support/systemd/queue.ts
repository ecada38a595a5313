import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, describe, it } from 'node:test';
import type { Installed } from '../rig/installed.ts';
import { until } from '../until.ts';

/** <security/_pam_types.h> */
const pam = { success: 0, systemErr: 4, authinfoUnavail: 9 } as const;
const unit = 'sallyportd.service';
const sockets = ['sallyport-pam.socket', 'sallyport-pam-user.socket', 'sallyport-control.socket'];

const all = (results: readonly number[], code: number) =>
  assert.ok(
    results.every((each) => each === code),
    `${results}`,
  );

/** A crash, an upgrade, a start that fails: logins wait, and are served. */
export function queueTests(rig: () => Installed, people: readonly string[]): void {
  const systemctl = (...argv: readonly string[]) => rig().machine.must(['systemctl', ...argv]);
  const isActive = async () => (await rig().machine.show(unit, 'ActiveState')) === 'active';
  const restarts = async () => Number(await rig().machine.show(unit, 'NRestarts'));
  const back = () => until(isActive, 60_000);

  describe('logins that begin while sallyportd is stopped', () => {
    it('are served after SIGKILL', async () => {
      for (let round = 0; round < 3; round++) {
        await back();
        process.kill(rig().pidOutside(), 'SIGKILL');
        all(await rig().logins(people), pam.success);
      }
    });

    it('start it if it was stopped', async () => {
      await back();
      await systemctl('stop', unit);
      assert.equal(await rig().machine.show(unit, 'ActiveState'), 'inactive');
      all(await rig().logins(people), pam.success);
    });

    it('are served across restarts, as in an upgrade; none of those under way is accepted unverified', async () => {
      await back();
      const results: number[] = [];
      const served = () => results.filter((each) => each === pam.success).length;
      let over = false;
      const logins = (async () => {
        while (!over) results.push(...(await rig().logins(people, 3)));
      })();
      const rounds = 3;
      for (let round = 0; round < rounds; round++) {
        const before = served();
        await systemctl('restart', unit);
        await until(() => served() > before + people.length, 60_000);
      }
      over = true;
      await logins;
      const others = results.filter((each) => each !== pam.success);
      all(others, pam.systemErr);
      assert.ok(others.length <= rounds * people.length, `${results}`);
      all(await rig().logins(people), pam.success);
    });
  });

  it('of screen lockers, which run as their user, are served on a separate socket', async () => {
    await back();
    const [user = ''] = people;
    all(await rig().logins([user], 1, user), pam.success);
  });

  it('at a prompt when it stops are asked to retry, and can', async () => {
    await back();
    const [user = ''] = people;
    const login = spawn('nsenter', rig().loginAtPrompt(user), { stdio: ['pipe', 'pipe', 'inherit'] });
    let said = '';
    login.stdout.on('data', (text) => {
      said += text;
    });
    const over = new Promise((resolve) => login.once('close', resolve));
    await until(() => said.includes('"message"'), 60_000);
    await systemctl('restart', unit);
    login.stdin.end(`${rig().code(user)}\n`);
    await over;
    const events = said
      .trim()
      .split('\n')
      .map((line): Record<string, unknown> => JSON.parse(line));
    const texts = events
      .filter(({ event }) => event === 'message')
      .map(({ text }) => Buffer.from(String(text), 'hex').toString());
    assert.match(texts.at(-1) ?? '', /being restarted. Please try again/);
    assert.equal(events.at(-1)?.code, pam.systemErr);
    all(await rig().logins([user]), pam.success);
  });

  describe('a daemon that fails to start', () => {
    after(async () => {
      await rig()
        .withoutDropIn('broken')
        .catch(() => undefined);
    });

    it('is restarted without limit; no socket is closed, and logins wait until it is repaired', async () => {
      await back();
      await rig().dropIn('broken', '[Service]\nExecStart=\nExecStart=/bin/false\nRestartSec=100ms\n');
      await systemctl('kill', '--signal=KILL', unit);
      // Beyond systemd's own limit, and that of its sockets.
      const before = await restarts();
      const knocking = setInterval(() => void rig().sallyport('status'), 500);
      await until(async () => (await restarts()) > before + 30, 90_000);
      clearInterval(knocking);
      for (const socket of sockets)
        assert.equal(await rig().machine.show(socket, 'ActiveState'), 'active', socket);
      const waiting = rig().logins(people);
      await rig().withoutDropIn('broken');
      all(await waiting, pam.success);
    });

    it('is silence for the module, which gives up by itself and refuses the login', async () => {
      await back();
      await rig().dropIn('broken', '[Service]\nExecStart=\nExecStart=/bin/false\n');
      await systemctl('kill', '--signal=KILL', unit);
      const before = await restarts();
      await until(async () => (await restarts()) > before, 60_000);
      all(await rig().logins(people.slice(0, 1)), pam.authinfoUnavail);
      await rig().withoutDropIn('broken');
      await back();
    });
  });
}
