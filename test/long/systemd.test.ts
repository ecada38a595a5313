import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { makeDebianRoot } from '../support/rig/debian-root.ts';
import { Installed } from '../support/rig/installed.ts';
import { credentialTests } from '../support/systemd/credentials.ts';
import { queueTests } from '../support/systemd/queue.ts';
import { reloadTests } from '../support/systemd/reload.ts';
import { sandboxTests } from '../support/systemd/sandbox.ts';
import { sshTests } from '../support/systemd/ssh.ts';
import { watchdogTests } from '../support/systemd/watchdog.ts';

/**
 * sallyportd under the systemd of Debian 12 (252, with the Node that runs this) and of Debian 13 (257, with its own
 * Node), as process 1 of separate machines.
 */
const realms = `
[[realm]]
name = "all"
require = "any"
`;
const people = ['alice', 'bob', 'carol', 'dave'];

for (const suite of ['bookworm', 'trixie'] as const) {
  describe(`sallyportd under the systemd of ${suite}`, () => {
    let directory: string;
    let installed: Installed;
    const rig = () => installed;

    before(async () => {
      directory = mkdtempSync(join(tmpdir(), 'sallyport-systemd-'));
      installed = await Installed.boot(await makeDebianRoot(directory, suite), suite, realms);
      for (const name of people) {
        await installed.addPerson(name);
        await installed.addHotp(name);
      }
    });
    after(async () => {
      await installed?.end();
      rmSync(directory, { recursive: true, force: true });
    });

    sandboxTests(rig);
    reloadTests(rig, suite === 'trixie');
    credentialTests(rig);
    sshTests(rig);
    queueTests(rig, people);
    watchdogTests(rig, people);
  });
}
