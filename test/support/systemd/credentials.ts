import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Installed } from '../rig/installed.ts';
import { shippedDropIn } from './sandbox.ts';

const file = '/etc/sallyport/master.key';
const plain = '/etc/credstore/sallyport-master.key';
const sealed = '/etc/credstore.encrypted/sallyport-master.key';

/** docs/how-to/protect-master-key.md, exactly as written there. */
export function credentialTests(rig: () => Installed): void {
  const sh = (script: string) => rig().machine.must(['bash', '-ec', script]);
  const restart = () => sh('systemctl restart sallyportd');
  const exists = async (path: string) => (await rig().machine.run(['test', '-e', path])).status === 0;
  const seenBySallyportd = () => sh('ls -l /run/credentials/sallyportd.service 2>/dev/null || true');

  describe('the master key as a credential', () => {
    afterEach(async () => {
      for (const name of ['master-key', 'master-key-encrypted'])
        await rig()
          .withoutDropIn(name)
          .catch(() => undefined);
    });

    it('is passed by systemd, from a file of root’s, and moved back', async () => {
      await sh(
        `install -d -m 700 /etc/credstore; install -m 600 -o root -g root ${file} ${plain}; rm ${file}`,
      );
      await rig().dropIn('master-key', shippedDropIn('master-key'));
      await restart();
      assert.deepEqual(await rig().logins(['alice']), [0]);
      assert.match(await seenBySallyportd(), /master\.key/);
      await rig().withoutDropIn('master-key');
      await sh(`install -m 600 -o sallyport -g sallyport ${plain} ${file}; rm ${plain}`);
      await restart();
      assert.deepEqual(await rig().logins(['alice']), [0]);
    });

    it('is encrypted for the machine, and moved back', async () => {
      await sh(
        `install -d -m 700 /etc/credstore.encrypted; systemd-creds encrypt --with-key=host --name=master.key ${file} ${sealed}; rm ${file}`,
      );
      await rig().dropIn('master-key-encrypted', shippedDropIn('master-key-encrypted'));
      await restart();
      assert.deepEqual(await rig().logins(['alice']), [0]);
      assert.equal(await exists(file), false);
      await rig().withoutDropIn('master-key-encrypted');
      await sh(
        `umask 077; systemd-creds decrypt --name=master.key ${sealed} ${file}; chown sallyport: ${file}; rm ${sealed}`,
      );
      await restart();
      assert.deepEqual(await rig().logins(['alice']), [0]);
    });

    it('that is missing keeps it from starting, and every login is refused', async () => {
      await rig().dropIn('master-key', shippedDropIn('master-key'));
      await rig().machine.run(['systemctl', 'restart', '--no-block', 'sallyportd']);
      assert.deepEqual(await rig().logins(['alice']), [9]);
      await rig().withoutDropIn('master-key');
      await restart();
      assert.deepEqual(await rig().logins(['alice']), [0]);
    });
  });
}
