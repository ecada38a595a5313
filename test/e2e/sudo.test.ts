import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { hotp, totp, wrongHotp } from '../support/codes.ts';
import { run, until } from '../support/rig/commands.ts';
import { work } from '../support/rig/machine.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, allowSudo, as, type Person, password } from '../support/rig/people.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { useSnippet } from '../support/rig/stack.ts';
import { sudoFlush, Terminal } from '../support/rig/terminal.ts';

/** sudo, with the stack of pam-config. */
const realms = `
[[realm]]
name = "staff"
members = { uids = ["3000-3999"] }
require = "any"

  [[realm.rule]]
  services = ["sudo-i"]
  action = "refuse"

[[realm]]
name = "rest"
require = "none"
`;
const whoami = ['sh', '-c', 'echo "in-$(id -un)"'];

/** -k: timestamps of earlier tests must not count. */
const sudo = (person: Person, ...options: string[]): string[] => [...as(person), 'sudo', '-k', ...options];

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);
  allowSudo();
  for (const service of ['sudo', 'sudo-i']) useSnippet(service, 'sallyport-sudo');

  scenario(product, 'password and code', async () => {
    const alice = addPerson('alice');
    const secret = await product.addTotp('alice');
    const terminal = new Terminal([...sudo(alice), ...whoami]);
    await terminal.answer(/password for alice: /, password);
    await terminal.answer(/Verification code: /, totp(secret));
    await terminal.expect(/in-root/);
    assert.equal(await terminal.ended(), 0);
  });

  scenario(product, 'sudo -S reads one line for each prompt', async () => {
    const bob = addPerson('bob');
    const secret = await product.addHotp('bob');
    const [program = '', ...argv] = [...sudo(bob, '-S'), ...whoami];
    const done = await run(program, argv, { input: `${password}\n${hotp(secret, 0)}\n` });
    assert.deepEqual({ status: done.status, stdout: done.stdout }, { status: 0, stdout: 'in-root\n' });
    const replay = await run(program, argv, { input: `${password}\n${hotp(secret, 0)}\n` });
    assert.equal(replay.status, 1);
    assert.equal(replay.stdout, '');
  });

  scenario(product, 'a wrong code, then the right one', async () => {
    const carol = addPerson('carol');
    const secret = await product.addHotp('carol');
    const terminal = new Terminal([...sudo(carol), ...whoami]);
    await terminal.answer(/password for carol: /, password);
    await terminal.answer(/code: /, wrongHotp(secret, 0));
    await terminal.expect(/Incorrect code/);
    await terminal.answer(/code: /, hotp(secret, 0));
    await terminal.expect(/in-root/);
    assert.equal(await terminal.ended(), 0);
  });

  scenario(product, '^C at the prompt of the module ends sudo, and counts as no failure', async () => {
    const dave = addPerson('dave');
    const secret = await product.addHotp('dave');
    const terminal = new Terminal([...sudo(dave), ...whoami]);
    await terminal.answer(/password for dave: /, password);
    await terminal.expect(/code: /);
    assert.equal(product.openCalls(), 1);
    await pause(sudoFlush);
    terminal.send('\x03');
    assert.notEqual(await terminal.ended(), 0);
    await until('sallyportd has dropped the call', () => product.openCalls() === 0);
    assert.deepEqual(await product.failures('dave'), { codes: 0, any: 0 });
    assert.equal((await product.events('dave')).at(-1)?.outcome, 'abandoned');
    await product.must(['verify', 'dave'], `${hotp(secret, 0)}\n`);
  });

  scenario(
    product,
    'an askpass helper that sends the password to every prompt locks no account',
    async () => {
      const erin = addPerson('erin');
      const secret = await product.addHotp('erin');
      const helper = `${work}/askpass`;
      writeFileSync(helper, `#!/bin/sh\necho ${password}\n`);
      chmodSync(helper, 0o755);
      const [program = '', ...argv] = as(erin);
      for (let tries = 0; tries < 4; tries += 1) {
        const denied = await run(program, [...argv, `SUDO_ASKPASS=${helper}`, 'sudo', '-k', '-A', ...whoami]);
        assert.equal(denied.status, 1);
      }
      assert.deepEqual(await product.failures('erin'), { codes: 0, any: 0 });
      await product.must(['verify', 'erin'], `${hotp(secret, 0)}\n`);
    },
  );

  scenario(product, 'sudo -i is a separate service, with its own rules', async () => {
    const frank = addPerson('frank');
    await product.addTotp('frank');
    const terminal = new Terminal(sudo(frank, '-i', 'true'));
    await terminal.answer(/password for frank: /, password);
    await terminal.expect(/password for frank: |not allowed|administrator|refuse/i);
    await terminal.hangUp();
    assert.equal((await product.events('frank')).at(-1)?.outcome, 'refused');
  });

  scenario(product, 'without the daemon sudo is refused', async () => {
    const heidi = addPerson('heidi', 4000);
    await product.stop();
    const [program = '', ...argv] = [...sudo(heidi, '-S'), ...whoami];
    const denied = await run(program, argv, { input: `${password}\n` });
    assert.equal(denied.status, 1);
    assert.equal(denied.stdout, '');
    await product.start();
    const allowed = await run(program, argv, { input: `${password}\n` });
    assert.equal(allowed.stdout, 'in-root\n');
  });
});
