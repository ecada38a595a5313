import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Installed } from '../rig/installed.ts';
import { until } from '../until.ts';

const config = '/etc/sallyport/sallyport.toml';

export function reloadTests(rig: () => Installed, hasNotifyReload: boolean): void {
  const status = () => rig().machine.show('sallyportd', 'StatusText');
  const edit = (script: string) => rig().machine.must(['sed', '-i', script, config]);

  describe('a reload', () => {
    it('of an invalid file fails, says where, and changes nothing', async () => {
      const pid = await rig().mainPid();
      await edit('s/^require = "any"/require = "sometimes"/');
      const failed = await rig().machine.run(['systemctl', 'reload', 'sallyportd']);
      assert.notEqual(failed.status, 0);
      assert.match(
        await rig().machine.journal('sallyportd'),
        /sallyport\.toml:\d+: realm\.require: found "sometimes"/,
      );
      assert.equal((await rig().sallyport('reload')).status === 0, false);
      await edit('s/^require = "sometimes"/require = "any"/');
      assert.deepEqual(await rig().logins(['alice']), [0]);
      assert.equal(await rig().mainPid(), pid);
    });

    it('is not needed for a start with an invalid file: the last valid one is used, and the status says so', async () => {
      await edit('s/^require = "any"/require = "sometimes"/');
      await rig().machine.must(['systemctl', 'restart', 'sallyportd']);
      assert.match(await status(), /^Serving; the configuration file is not in force/);
      assert.deepEqual(await rig().logins(['alice']), [0]);
      await edit('s/^require = "sometimes"/require = "any"/');
      await rig().machine.must(['systemctl', 'reload', 'sallyportd']);
      await until(async () => /^Serving; \d+ account/.test(await status()), 60_000);
    });

    it('of a valid one works by systemctl and by sallyport', async () => {
      await rig().machine.must(['systemctl', 'reload', 'sallyportd']);
      await until(async () => (await status()).startsWith('Serving'), 60_000);
      assert.equal((await rig().sallyport('reload')).status, 0);
      assert.equal(await rig().machine.show('sallyportd', 'ActiveState'), 'active');
    });

    it('can be waited for if systemd knows Type=notify-reload', { skip: !hasNotifyReload }, async () => {
      await rig().dropIn('notify-reload', '[Service]\nType=notify-reload\nExecReload=\n');
      await rig().machine.must(['systemctl', 'restart', 'sallyportd']);
      await rig().machine.must(['systemctl', 'reload', 'sallyportd']);
      assert.equal(await rig().machine.show('sallyportd', 'ActiveState'), 'active');
      await rig().withoutDropIn('notify-reload');
      await rig().machine.must(['systemctl', 'restart', 'sallyportd']);
    });
  });
}
