import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { Installed } from '../rig/installed.ts';
import { until } from '../until.ts';

const unit = 'sallyportd.service';

/** A daemon that hangs is ended and restarted; a busy one is not. */
export function watchdogTests(rig: () => Installed, people: readonly string[]): void {
  const isActive = async () => (await rig().machine.show(unit, 'ActiveState')) === 'active';
  const back = () => until(isActive, 60_000);
  /** systemd writes its own log as it goes. */
  const barked = (times: number) =>
    until(async () => (await rig().machine.log()).match(/Watchdog timeout/g)?.length === times, 60_000);

  describe('the watchdog', () => {
    before(async () => {
      await rig().dropIn('watchdog', '[Service]\nWatchdogSec=2\nRestartSec=100ms\n');
      await rig().machine.must(['systemctl', 'restart', unit]);
    });
    after(async () => {
      await rig().withoutDropIn('watchdog');
      await rig().machine.must(['systemctl', 'restart', unit]);
    });

    it('does not end a daemon that serves', async () => {
      const pid = await rig().mainPid();
      const end = Date.now() + 6_000;
      while (Date.now() < end) assert.ok((await rig().logins(people)).every((each) => each === 0));
      assert.equal(await rig().mainPid(), pid);
    });

    it('ends one whose event loop hangs, and waiting logins are served', async () => {
      process.kill(rig().pidOutside(), 'SIGSTOP');
      const results = await rig().logins(people);
      assert.ok(
        results.every((each) => each === 0),
        `${results}`,
      );
      await barked(1);
      await back();
    });

    it('ends one whose store hangs in a write', async () => {
      // From outside, and of no call but the one that LevelDB syncs with.
      const argv = [
        '-f',
        '-qq',
        '-o',
        '/dev/null',
        '-e',
        'trace=fdatasync',
        '-e',
        'inject=fdatasync:delay_enter=3600s',
      ];
      const pid = rig().pidOutside();
      const tracer = spawn('strace', [...argv, '-p', `${pid}`], { stdio: 'ignore' });
      try {
        await until(() => tracedBy(pid) === tracer.pid, 60_000);
        const results = await rig().logins(people.slice(0, 1));
        assert.deepEqual(results, [4], 'SYSTEM_ERR: it is not known whether the code is spent');
        await barked(2);
        assert.match(await rig().machine.journal(unit), /a write to the store has been under way/);
      } finally {
        tracer.kill('SIGKILL');
      }
      await back();
      const results = await rig().logins(people);
      assert.ok(
        results.every((each) => each === 0),
        `${results}`,
      );
    });
  });
}

function tracedBy(pid: number): number {
  return Number(/^TracerPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}
