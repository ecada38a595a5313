import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { hotp, totp, wrongHotp } from '../support/codes.ts';
import { repository } from '../support/rig/layout.ts';
import { work } from '../support/rig/machine.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, password } from '../support/rig/people.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { makeSshKeys, ssh, startSshd } from '../support/rig/ssh.ts';
import { useSnippet } from '../support/rig/stack.ts';
import { Terminal } from '../support/rig/terminal.ts';

/** sshd with password + code, with the files of pam-config. */
const realms = `
[[realm]]
name = "corp"
members = { domains = ["corp.example"] }
require = ["totp"]

[[realm]]
name = "staff"
members = { uids = ["3000-3999"] }
require = "any"

  [[realm.rule]]
  services = ["sshd"]
  from = ["127.0.0.2/32"]
  action = "skip"

[[realm]]
name = "kept-out"
members = { uids = ["5000-5999"] }
require = "none"

  [[realm.rule]]
  services = ["sshd"]
  from = ["10.0.0.0/8"]
  action = "refuse"

[[realm]]
name = "rest"
require = "none"
`;
const port = 2201;
const portWithNames = 2231;
const whoami = ['echo "in-$(id -un)"'];

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);
  useSnippet('sshd', 'sallyport-sshd');
  makeSshKeys();
  await startSshd(port, 'sallyport-password-code.conf');
  const connect = (user: string, from?: string): Terminal =>
    new Terminal(ssh(user, { port, ...(from === undefined ? {} : { from }) }, whoami));

  scenario(product, 'password and a TOTP code are accepted', async () => {
    addPerson('alice');
    const secret = await product.addTotp('alice');
    const terminal = connect('alice');
    await terminal.answer(/Password: /, password);
    await terminal.answer(/Verification code: /, totp(secret));
    await terminal.expect(/in-alice/);
    assert.equal(await terminal.ended(), 0);
    const last = (await product.events('alice')).at(-1);
    assert.deepEqual(
      { kind: last?.kind, outcome: last?.outcome, service: last?.service },
      { kind: 'login', outcome: 'success', service: 'sshd' },
    );
  });

  scenario(product, 'the same code in a second connection is refused', async () => {
    addPerson('bob');
    const secret = await product.addTotp('bob');
    // Both codes from one moment: the device's own counter stays consistent if a step ends meanwhile.
    const at = Date.now();
    const code = totp(secret, { at });
    const first = connect('bob');
    await first.answer(/Password: /, password);
    await first.answer(/code: /, code);
    await first.expect(/in-bob/);
    const second = connect('bob');
    await second.answer(/Password: /, password);
    await second.answer(/code: /, code);
    await second.expect(/already used/);
    await second.answer(/code: /, totp(secret, { at, step: 1 }));
    await second.expect(/in-bob/);
    assert.equal(await second.ended(), 0);
  });

  scenario(product, 'a wrong code, then the right one', async () => {
    addPerson('carol');
    const secret = await product.addHotp('carol');
    const terminal = connect('carol');
    await terminal.answer(/Password: /, password);
    await terminal.answer(/code: /, wrongHotp(secret, 0));
    await terminal.expect(/Incorrect code/);
    await terminal.answer(/code: /, hotp(secret, 0));
    await terminal.expect(/in-carol/);
    assert.equal(await terminal.ended(), 0);
    assert.deepEqual(await product.failures('carol'), { codes: 0, any: 0 });
  });

  scenario(
    product,
    'a restart during the prompt is reported before the next prompt, and counts as no failure',
    async () => {
      addPerson('lena');
      const secret = await product.addHotp('lena');
      const terminal = connect('lena');
      await terminal.answer(/Password: /, password);
      await terminal.expect(/code: /);
      await product.stop();
      await product.start();
      terminal.send(`${hotp(secret, 0)}\r`);
      await terminal.answer(/being restarted\. Please try again\.[\s\S]*Password: /, password);
      await terminal.answer(/code: /, hotp(secret, 0));
      await terminal.expect(/in-lena/);
      assert.equal(await terminal.ended(), 0);
    },
  );

  scenario(product, 'typing slips and other spellings are understood', async () => {
    addPerson('kate');
    const secret = await product.addHotp('kate');
    const terminal = connect('kate');
    await terminal.answer(/Password: /, password);
    await terminal.answer(/code: /, '12345');
    await terminal.answer(/code: /, '');
    const wide = [...hotp(secret, 0)].map((digit) => String.fromCodePoint(Number(digit) + 0xff10));
    await terminal.answer(/code: /, `${wide.slice(0, 3).join('')}\u00a0${wide.slice(3).join('')}`);
    await terminal.expect(/in-kate/);
    assert.equal(await terminal.ended(), 0);
    assert.deepEqual(await product.failures('kate'), { codes: 0, any: 0 });
    const pasted = connect('kate');
    await pasted.answer(/Password: /, password);
    await pasted.answer(/code: /, `\x1b[200~${hotp(secret, 1)}\x1b[201~`);
    await pasted.expect(/in-kate/);
    // A program that answers every prompt with the password: the second answer ends the call.
    const program = connect('kate');
    await program.answer(/Password: /, password);
    await program.answer(/code: /, password);
    await program.answer(/code: /, password);
    await program.expect(/Password: /);
    await program.hangUp();
    assert.deepEqual(await product.failures('kate'), { codes: 0, any: 0 });
  });

  scenario(product, 'three wrong answers end the connection', async () => {
    addPerson('erin');
    const secret = await product.addHotp('erin');
    // If it were told that no method is left, OpenSSH's client would repeat its whole list.
    const options = ['PreferredAuthentications=keyboard-interactive'];
    const terminal = new Terminal(ssh('erin', { port, options }, whoami));
    await terminal.answer(/Password: /, password);
    const wrong = wrongHotp(secret, 0);
    const other = hotp(secret, 5000) === wrong ? hotp(secret, 5001) : hotp(secret, 5000);
    for (const code of [wrong, other, wrong]) await terminal.answer(/code: /, code);
    assert.equal(await terminal.ended(), 255);
    assert.match(terminal.transcript, /Permission denied/);
    assert.deepEqual(await product.failures('erin'), { codes: 3, any: 3 });
  });

  scenario(
    product,
    'neither a wrong password nor an unknown name reaches the prompt for a code',
    async () => {
      addPerson('frank');
      await product.addTotp('frank');
      for (const user of ['frank', 'nobody-of-that-name']) {
        const terminal = connect(user);
        for (const guess of ['wrong-1', 'wrong-2', 'wrong-3']) await terminal.answer(/Password: /, guess);
        assert.equal(await terminal.ended(), 255);
        assert.doesNotMatch(terminal.transcript, /code/i);
      }
      assert.deepEqual(await product.failures('frank'), { codes: 0, any: 0 });
    },
  );

  scenario(product, 'a rule with action skip, and a realm that requires nothing', async () => {
    addPerson('grace');
    await product.addTotp('grace');
    addPerson('heidi', 4000);
    for (const terminal of [connect('grace', '127.0.0.2'), connect('heidi')]) {
      await terminal.answer(/Password: /, password);
      await terminal.expect(/in-(grace|heidi)/);
      assert.equal(await terminal.ended(), 0);
      assert.doesNotMatch(terminal.transcript, /code/i);
    }
  });

  scenario(product, 'a rule that refuses a network, and an sshd that passes host names', async () => {
    addPerson('nina', 5000);
    const dropIn = `${work}/host-names.conf`;
    const shipped = `${repository}/pam-config/sshd_config.d/sallyport-password-code.conf`;
    writeFileSync(dropIn, `UseDNS yes\n${readFileSync(shipped, 'utf8')}`);
    await startSshd(portWithNames, dropIn);
    const known = connect('nina');
    await known.answer(/Password: /, password);
    await known.expect(/in-nina/);
    const named = new Terminal(ssh('nina', { port: portWithNames }, whoami));
    for (let tries = 0; tries < 3; tries += 1) await named.answer(/Password: /, password);
    assert.equal(await named.ended(), 255);
    assert.match(named.transcript, /not allowed here/);
    const last = (await product.events('nina')).at(-1);
    assert.deepEqual([last?.outcome, last?.reason], ['refused', 'rule-refuse']);
  });

  scenario(product, 'a member without a factor is refused, with the reason', async () => {
    addPerson('ivan');
    const terminal = connect('ivan');
    for (let tries = 0; tries < 3; tries += 1) await terminal.answer(/Password: /, password);
    assert.equal(await terminal.ended(), 255);
    assert.match(terminal.transcript, /second factor is required here and you have none/);
    const last = (await product.events('ivan')).at(-1);
    assert.equal(last?.outcome, 'refused');
  });

  scenario(
    product,
    'a recovery key is accepted once, in upper or lower case and without dashes',
    async () => {
      addPerson('judy');
      const [key = ''] = await product.addRecovery('judy');
      const typed = key.toUpperCase().replaceAll('-', '');
      const first = connect('judy');
      await first.answer(/Password: /, password);
      await first.answer(/Recovery key: /, typed);
      await first.expect(/in-judy/);
      const second = connect('judy');
      await second.answer(/Password: /, password);
      await second.answer(/Recovery key: /, key);
      await second.expect(/was used before|Incorrect code/);
      await second.hangUp();
    },
  );

  scenario(product, 'an account of a domain, by its full name', async () => {
    addPerson('dave@corp.example', 4100);
    const secret = await product.addTotp('dave@corp.example');
    const terminal = connect('dave@corp.example');
    await terminal.answer(/Password: /, password);
    await terminal.answer(/code: /, totp(secret));
    await terminal.expect(/in-dave@corp\.example/);
    assert.equal(await terminal.ended(), 0);
  });

  scenario(product, 'without the daemon every login is refused', async () => {
    await product.stop();
    const terminal = connect('heidi');
    for (let tries = 0; tries < 3; tries += 1) await terminal.answer(/Password: /, password);
    assert.equal(await terminal.ended(), 255);
    await product.start();
    const again = connect('heidi');
    await again.answer(/Password: /, password);
    await again.expect(/in-heidi/);
  });
});
