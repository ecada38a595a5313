import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { hotp, totp, wrongHotp } from '../support/codes.ts';
import { run, until } from '../support/rig/commands.ts';
import { work } from '../support/rig/machine.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, type Person } from '../support/rig/people.ts';
import { staffAndRest } from '../support/rig/realms.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { authorizeKey, makeSshKeys, ssh, startSshd } from '../support/rig/ssh.ts';
import { useSnippet } from '../support/rig/stack.ts';
import { Terminal } from '../support/rig/terminal.ts';

/** sshd with public key + code, with the files of pam-config. */

const port = 2202;
/** The stack for keys under an sshd that requires no key: its drop-in was forgotten. */
const keylessPort = 2203;
const whoami = ['echo "in-$(id -un)"'];

function withKey(name: string, uid?: number): Person {
  const person = uid === undefined ? addPerson(name) : addPerson(name, uid);
  authorizeKey(person);
  return person;
}

/** Processes of sshd that serve a connection: all but the listeners. */
function servingSshd(): number {
  const isSshd = (pid: string): boolean => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return command.startsWith('sshd: ') && !command.includes('[listener]');
    } catch {
      return false;
    }
  };
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isSshd(name)).length;
}

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(staffAndRest);
  useSnippet('sshd', 'sallyport-sshd-key');
  makeSshKeys();
  await startSshd(port, 'sallyport-key-code.conf');
  await startSshd(keylessPort, 'sallyport-password-code.conf');
  const connect = (user: string, options: readonly string[] = [], command = whoami): Terminal =>
    new Terminal(ssh(user, { port, key: true, options }, command));

  scenario(product, 'a key and a code are accepted, and no password is asked for', async () => {
    withKey('alice');
    const secret = await product.addTotp('alice');
    const terminal = connect('alice');
    await terminal.answer(/Verification code: /, totp(secret));
    await terminal.expect(/in-alice/);
    assert.equal(await terminal.ended(), 0);
    assert.doesNotMatch(terminal.transcript, /password/i);
  });

  scenario(product, 'a wrong code after the key, then the right one', async () => {
    withKey('bob');
    const secret = await product.addHotp('bob');
    const terminal = connect('bob');
    await terminal.answer(/code: /, wrongHotp(secret, 0));
    await terminal.expect(/Incorrect code/);
    await terminal.answer(/code: /, hotp(secret, 0));
    await terminal.expect(/in-bob/);
    assert.equal(await terminal.ended(), 0);
  });

  scenario(product, 'a key is enough if the realm needs nothing more', async () => {
    withKey('heidi', 4000);
    const terminal = connect('heidi');
    await terminal.expect(/in-heidi/);
    assert.equal(await terminal.ended(), 0);
  });

  scenario(product, 'without a key, neither a code nor a realm that requires nothing is enough', async () => {
    addPerson('carol');
    const secret = await product.addHotp('carol');
    addPerson('ivan', 4001);
    for (const user of ['carol', 'ivan']) {
      const refused = await run('timeout', [
        '30',
        ...ssh(user, { port, options: ['BatchMode=yes'] }, whoami),
      ]);
      assert.equal(refused.status, 255);
      const keyless = new Terminal(ssh(user, { port: keylessPort }, whoami));
      assert.equal(await keyless.ended(), 255);
      assert.doesNotMatch(keyless.transcript, /code|factor|in-/i);
    }
    // The code was never asked for, so it is still unused.
    await product.must(['verify', 'carol'], `${hotp(secret, 0)}\n`);
  });

  scenario(product, 'a reused master connection asks once', async () => {
    withKey('erin');
    const secret = await product.addHotp('erin');
    const socket = `${work}/master`;
    const master = connect('erin', ['ControlMaster=yes', `ControlPath=${socket}`], ['echo up; cat']);
    await master.answer(/code: /, hotp(secret, 0));
    await master.expect(/up/);
    for (let sessions = 0; sessions < 3; sessions += 1) {
      const reuse = ssh(
        'erin',
        { port, key: true, options: [`ControlPath=${socket}`, 'BatchMode=yes'] },
        whoami,
      );
      const session = await run('timeout', ['30', ...reuse]);
      assert.deepEqual({ status: session.status, out: session.stdout }, { status: 0, out: 'in-erin\n' });
    }
    await run('ssh', ['-F', 'none', '-o', `ControlPath=${socket}`, '-O', 'exit', '127.0.0.1']);
    await master.ended();
    const logins = (await product.events('erin')).filter((event) => event.kind === 'login');
    assert.equal(logins.length, 1);
  });

  scenario(product, 'sftp', async () => {
    const frank = withKey('frank');
    const secret = await product.addHotp('frank');
    const terminal = new Terminal(ssh('frank', { port, key: true, program: 'sftp' }));
    await terminal.answer(/code: /, hotp(secret, 0));
    await terminal.answer(/sftp> /, 'pwd');
    await terminal.expect(new RegExp(`Remote working directory: ${frank.home}`));
    await terminal.answer(/sftp> /, 'bye');
    assert.equal(await terminal.ended(), 0);
  });

  scenario(product, 'a client that disconnects at the prompt leaves nothing behind', async () => {
    withKey('grace');
    const secret = await product.addHotp('grace');
    await until('no session of an earlier test', () => servingSshd() === 0 && product.openCalls() === 0);
    const terminals = Array.from({ length: 4 }, () => connect('grace'));
    for (const terminal of terminals) await terminal.expect(/code: /);
    assert.equal(product.openCalls(), 4);
    await Promise.all(terminals.map((terminal) => terminal.vanish()));
    await until('sshd and its children have gone', () => servingSshd() === 0);
    await until('sallyportd has dropped the calls', () => product.openCalls() === 0);
    await until('the ends are recorded', async () => {
      const events = await product.events('grace');
      return events.filter((event) => event.outcome === 'abandoned').length === 4;
    });
    assert.deepEqual(await product.failures('grace'), { codes: 0, any: 0 });
    const terminal = connect('grace');
    await terminal.answer(/code: /, hotp(secret, 0));
    await terminal.expect(/in-grace/);
  });
});
