import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { projectRoot } from '../project.ts';
import type { Installed } from '../rig/installed.ts';
import { until } from '../until.ts';

const user = 'alice';

/** Gives a code to each prompt; with a fifo to wait at, the first answer waits for what is written there. */
const askpass = `#!/bin/bash
printf '%s\\n' "$1" >> /tmp/prompts
if [ -p /tmp/gate ] && [ ! -e /tmp/gated ]; then : > /tmp/gated; cat /tmp/gate > /dev/null; fi
read -r code < /tmp/codes && sed -i 1d /tmp/codes && printf '%s\\n' "$code"
`;

/** ssh.service with key and code, as a user experiences it. */
export function sshTests(rig: () => Installed): void {
  const sh = (script: string) => rig().machine.must(['bash', '-ec', script]);
  const codes = (count: number) =>
    rig().machine.write('/tmp/codes', Array.from({ length: count }, () => `${rig().code(user)}\n`).join(''));
  const login = [
    ...['env', 'SSH_ASKPASS_REQUIRE=force', 'SSH_ASKPASS=/usr/local/libexec/askpass', 'ssh', '-F', 'none'],
    ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-i', '/root/key'],
    ...[`${user}@127.0.0.1`, 'id', '-un'],
  ];

  describe('ssh.service with key and code', () => {
    before(async () => {
      const { machine } = rig();
      const dropIn = readFileSync(
        join(projectRoot, 'pam-config/sshd_config.d/sallyport-key-code.conf'),
        'utf8',
      );
      await machine.write('/etc/ssh/sshd_config.d/sallyport-key-code.conf', dropIn);
      await machine.write('/usr/local/libexec/askpass', askpass, '755');
      await sh(`
        sed -i 's/^@include common-auth$/@include sallyport-sshd-key/' /etc/pam.d/sshd
        ssh-keygen -q -t ed25519 -N '' -f /root/key
        install -d -m 700 -o ${user} -g ${user} /home/${user}/.ssh
        install -m 600 -o ${user} -g ${user} /root/key.pub /home/${user}/.ssh/authorized_keys
        systemctl restart ssh
      `);
      await sh('until ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null | grep -q ed25519; do sleep 0.1; done');
    });

    it('accepts a login', async () => {
      await codes(1);
      const done = await rig().machine.run(login);
      assert.deepEqual([done.status, done.stdout], [0, `${user}\n`], done.stderr);
    });

    it('waits for a stopped daemon', async () => {
      await codes(1);
      process.kill(rig().pidOutside(), 'SIGKILL');
      const done = await rig().machine.run(login);
      assert.deepEqual([done.status, done.stdout], [0, `${user}\n`], done.stderr);
    });

    it('asks users at the prompt to retry during an upgrade, and accepts them afterwards', async () => {
      await until(async () => (await rig().machine.show('sallyportd', 'ActiveState')) === 'active', 60_000);
      await codes(2);
      await sh('rm -f /tmp/prompts /tmp/gated /tmp/gate; mkfifo /tmp/gate');
      const client = spawn('nsenter', rig().machine.enter(login), { stdio: ['ignore', 'pipe', 'pipe'] });
      let said = '';
      for (const stream of [client.stdout, client.stderr])
        stream.on('data', (text) => {
          said += text;
        });
      const over = new Promise((resolve) => client.once('close', resolve));
      await until(async () => (await rig().machine.run(['test', '-e', '/tmp/gated'])).status === 0, 60_000);
      await sh('systemctl restart sallyportd; echo > /tmp/gate');
      assert.equal(await over, 0, said);
      assert.match(said, new RegExp(`^${user}$`, 'm'));
      const reported = `${said}${await sh('cat /tmp/prompts')}`;
      assert.match(reported, /being restarted. Please try again/);
    });
  });
}
