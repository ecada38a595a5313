import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after } from 'node:test';
import { type Authenticator, makeCredential, startAuthenticator } from '../support/authenticator/index.ts';
import { totp } from '../support/codes.ts';
import { compileSoftHelper } from '../support/fido-rig.ts';
import { until } from '../support/rig/commands.ts';
import { shippedModule } from '../support/rig/layout.ts';
import { inSession, openSession, prepareSessions, removeSessions } from '../support/rig/local-session.ts';
import { work } from '../support/rig/machine.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, allowSudo, as, type Person, password } from '../support/rig/people.ts';
import { Product } from '../support/rig/product.ts';
import { staffAndRest } from '../support/rig/realms.ts';
import { prepareStacks, scenario } from '../support/rig/scenario.ts';
import { useSnippet } from '../support/rig/stack.ts';
import { Terminal } from '../support/rig/terminal.ts';

/** Software security keys, plugged into this machine, in a real sudo and a real login. */
const realms = `
[webauthn]
rp_id = "login.example.org"

[[realm]]
name = "verified"
members = { users = ["vera"] }
require = "webauthn"
webauthn = { user_verification = "required" }

[[realm]]
name = "otp"
members = { users = ["olaf"] }
require = "yubikey"

${staffAndRest}`;
const whoami = ['sh', '-c', 'echo "in-$(id -un)"'];
const sudo = (person: Person): string[] => [...as(person), 'sudo', '-k', ...whoami];
const atDesk = (person: Person) => new Terminal(inSession('desk', sudo(person)));
const fromAfar = (person: Person) => new Terminal(inSession('afar', sudo(person)));
const sockets = `${work}/keys`;
/** A terminal named /dev/NAME, as a console is. */
const asConsole =
  'umount -l "$0" 2>/dev/null; touch "$0"; mount --bind "$(tty)" "$0"; exec "$@" <>"$0" >&0 2>&0';

await inNamespace(import.meta.filename, async () => {
  await prepareStacks(shippedModule);
  const product = await Product.init(realms);
  await useSoftKeys();
  await product.start();
  prepareSessions();
  openSession('desk', true);
  openSession('afar', false);
  allowSudo();
  useSnippet('sudo', 'sallyport-sudo');
  useSnippet('login', 'sallyport-login');
  const plugged: Authenticator[] = [];
  after(async () => {
    for (const key of plugged) await key.stop();
    await product.stop();
    await removeSessions();
  });

  const plug = async (name: 'one' | 'two', options = {}): Promise<Authenticator> => {
    const socket = `${sockets}/${name}`;
    // Left by a failed test.
    for (const left of plugged) if (left.socket === socket) await left.stop();
    const key = await startAuthenticator({ socket, name, ...options });
    plugged.push(key);
    return key;
  };
  /** Touches the key when it blinks, as a user does on request. */
  const enrol = async (key: Authenticator, user: string, input = '', ...more: string[]): Promise<void> => {
    const adding = product.cli(['factor', 'add', 'webauthn', user, ...more], input);
    await key.blinks();
    key.touch();
    const { status, stderr } = await adding;
    assert.equal(status, 0, stderr);
    await key.rests();
  };

  scenario(product, 'one touch enrols, one touch logs in, and a code still works', async () => {
    const alice = addPerson('alice');
    const key = await plug('one');
    await enrol(key, 'alice', '', '--name', 'blue');
    const secret = await product.addTotp('alice');
    const terminal = atDesk(alice);
    await terminal.answer(/password for alice: /, password);
    await terminal.expect(/Touch your security key, or type a verification code: /);
    await key.blinks();
    key.touch();
    await terminal.expect(/in-root/);
    assert.equal(await terminal.ended(), 0);

    const typing = atDesk(alice);
    await typing.answer(/password for alice: /, password);
    await key.blinks();
    await typing.answer(/or type a verification code: /, totp(secret));
    await typing.expect(/in-root/);
    assert.equal(await typing.ended(), 0);
    await key.rests();

    const logins = (await product.events('alice')).filter(({ kind }) => kind === 'login');
    assert.deepEqual(
      logins.map(({ outcome, factor }) => [outcome, factor?.kind]),
      [
        ['success', 'webauthn'],
        ['success', 'totp'],
      ],
    );
    await key.stop();
  });

  scenario(product, '^C ends the request at once, and the key stops blinking', async () => {
    const ada = addPerson('ada');
    const key = await plug('one');
    await enrol(key, 'ada');
    const terminal = atDesk(ada);
    await terminal.answer(/password for ada: /, password);
    await terminal.expect(/Touch your security key: /);
    await key.blinks();
    terminal.send('\x03');
    assert.notEqual(await terminal.ended(), 0);
    await key.rests();
    assert.equal((await product.events('ada')).at(-1)?.reason, 'cancelled');
    await key.stop();
  });

  scenario(product, 'a remote login never makes a key plugged in here blink', async () => {
    const bob = addPerson('bob');
    const key = await plug('one');
    await enrol(key, 'bob');
    const seen = key.requests.length;
    const alone = fromAfar(bob);
    await alone.answer(/password for bob: /, password);
    await alone.expect(/works only at the machine itself, not here/);
    await alone.hangUp();
    const secret = await product.addTotp('bob');
    const typing = fromAfar(bob);
    await typing.answer(/password for bob: /, password);
    await typing.expect(/[\r\n]Verification code: /);
    typing.send(`${totp(secret)}\r`);
    await typing.expect(/in-root/);
    assert.equal(key.requests.length, seen);
    await key.stop();
  });

  scenario(product, 'without a plugged-in key: Enter, plug it in, touch it', async () => {
    const carol = addPerson('carol');
    const key = await plug('one');
    await enrol(key, 'carol');
    await key.unplug();
    const terminal = atDesk(carol);
    await terminal.answer(/password for carol: /, password);
    await terminal.answer(/Press Enter to use your security key: /, '');
    await terminal.expect(/Plug in your security key/);
    await key.plug();
    await terminal.expect(/Touch your security key/);
    await key.blinks();
    key.touch();
    await terminal.expect(/in-root/);
    assert.equal(await terminal.ended(), 0);
    await key.stop();
  });

  scenario(product, 'of two keys the touched one answers, and an unknown one is refused', async () => {
    const dora = addPerson('dora');
    const [own, strange] = [await plug('one'), await plug('two')];
    await strange.unplug();
    await enrol(own, 'dora');
    await strange.plug();
    const terminal = atDesk(dora);
    await terminal.answer(/password for dora: /, password);
    await Promise.all([own.blinks(), strange.blinks()]);
    strange.touch();
    await terminal.expect(/not one of yours/);
    await own.blinks();
    own.touch();
    await terminal.expect(/in-root/);
    assert.equal(await terminal.ended(), 0);
    await Promise.all([own.rests(), strange.rests()]);
    await Promise.all([own.stop(), strange.stop()]);
  });

  scenario(product, 'a PIN if the realm requires one: at enrolment and at login', async () => {
    const vera = addPerson('vera');
    const key = await plug('one', { pin: '2468' });
    await enrol(key, 'vera', '2468\n');
    const terminal = atDesk(vera);
    await terminal.answer(/password for vera: /, password);
    await terminal.answer(/PIN of your security key: /, '1111');
    await terminal.answer(/That PIN was wrong.*PIN of your security key: /s, '2468');
    await terminal.expect(/Touch your security key/);
    await key.blinks();
    key.touch();
    await terminal.expect(/in-root/);
    assert.equal(await terminal.ended(), 0);
    assert.doesNotMatch(`${product.log()}${terminal.transcript}`, /2468|1111/);
    await key.stop();
    const without = await plug('one');
    const refused = product.cli(['factor', 'add', 'webauthn', 'vera']);
    await without.blinks();
    without.touch();
    const { status, stderr } = await refused;
    assert.equal(status, 1);
    assert.match(stderr, /A PIN or fingerprint is required/);
    await without.stop();
  });

  scenario(product, 'a cloned key whose counter goes backwards is refused and audited', async () => {
    const erik = addPerson('erik');
    const key = await plug('one');
    await enrol(key, 'erik');
    for (let round = 0; round < 2; round += 1) {
      const terminal = atDesk(erik);
      await terminal.answer(/password for erik: /, password);
      await key.blinks();
      key.touch();
      await terminal.expect(/in-root/);
      await terminal.ended();
    }
    key.counter = 0;
    for (const credential of key.credentials) Object.assign(credential, { counter: 0 });
    const terminal = atDesk(erik);
    await terminal.answer(/password for erik: /, password);
    await key.blinks();
    key.touch();
    await terminal.expect(/counter went backwards/);
    await terminal.hangUp();
    const events = await product.events('erik');
    assert.ok(events.some(({ outcome, reason }) => outcome === 'refused' && reason === 'counter'));
    assert.deepEqual(await product.failures('erik'), { codes: 0, any: 1 });
    await key.stop();
  });

  scenario(product, 'a legacy credential of pam_u2f works for its own relying party', async () => {
    const fred = addPerson('fred');
    const key = await plug('one', { kind: 'u2f' });
    const text = `${legacyCredential(key, 'pam://host')},es256,+presence`;
    const add = (appId: string) =>
      product.cli(['factor', 'add', 'u2f', 'fred', '--app-id', appId, '--credential', text]);
    const wrong = add('pam://elsewhere');
    await key.blinks();
    key.touch();
    assert.match((await wrong).stderr, /not one of yours/);
    const adding = add('pam://host');
    await key.blinks();
    key.touch();
    const { status, stderr } = await adding;
    assert.equal(status, 0, stderr);
    assert.match(stderr, /legacy/);
    const terminal = atDesk(fred);
    await terminal.answer(/password for fred: /, password);
    await key.blinks();
    key.touch();
    await terminal.expect(/in-root/);
    assert.equal(await terminal.ended(), 0);
    await key.stop();
  });

  scenario(
    product,
    'at the console: the key blinks beside the prompt of login, and a touch logs in',
    async () => {
      addPerson('iris');
      const key = await plug('one');
      await enrol(key, 'iris');
      const console = new Terminal(['bash', '-c', asConsole, '/dev/tty1', 'login']);
      await console.answer(/login: /, 'iris');
      await console.answer(/Password: /, password);
      await console.expect(/Touch your security key: /);
      await key.blinks();
      key.touch();
      await console.expect(/[$#] /);
      console.send('echo "in-$(id -un)"\r');
      await console.expect(/in-iris\r/);
      await console.hangUp();
      await key.stop();
    },
  );

  scenario(product, 'enrolments that must fail say why before any key blinks', async () => {
    addPerson('olaf');
    const key = await plug('one');
    const olaf = await product.cli(['factor', 'add', 'webauthn', 'olaf']);
    assert.match(olaf.stderr, /requires a YubiKey OTP and takes no webauthn/);
    assert.equal(key.requests.length, 0);
    addPerson('gina');
    await enrol(key, 'gina');
    const again = product.cli(['factor', 'add', 'webauthn', 'gina']);
    await key.blinks();
    key.touch();
    assert.match((await again).stderr, /already enrolled/);
    await key.stop();
  });

  scenario(product, 'an interrupted enrolment releases the key', async () => {
    addPerson('hans');
    const key = await plug('one');
    const terminal = new Terminal([
      process.execPath,
      ...product.command(['factor', 'add', 'webauthn', 'hans']),
    ]);
    await terminal.expect(/Touch the security key/);
    await key.blinks();
    terminal.send('\x03');
    assert.equal(await terminal.ended(), 1);
    await key.rests();
    await until(
      'nothing was added',
      async () => !/webauthn/.test(await product.must(['user', 'show', 'hans', '--json'])),
    );
    await key.stop();
  });
});

/** A credential as pamu2fcfg creates it. @returns key handle and public key, in its format */
function legacyCredential(key: Authenticator, rpId: string): string {
  const { credential } = makeCredential({ rpId, clientDataHash: Buffer.alloc(32) });
  key.credentials = [...key.credentials, credential];
  const { x = '', y = '' } = createPublicKey(credential.privateKey).export({ format: 'jwk' });
  const point = Buffer.concat([Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  return `${credential.id.toString('base64')},${point.toString('base64')}`;
}

/** The test helper instead of the shipped one, with its sockets for keys. */
async function useSoftKeys(): Promise<void> {
  mkdirSync(sockets);
  const helper = await compileSoftHelper('plain');
  const wrapper = `${work}/fido-helper`;
  const devices = `${sockets}/one:${sockets}/two`;
  writeFileSync(wrapper, `#!/bin/sh\nSALLYPORT_FIDO_DEVICES=${devices} exec ${helper}\n`);
  chmodSync(wrapper, 0o755);
  const config = `${work}/sallyport/etc/sallyport.toml`;
  const text = readFileSync(config, 'utf8');
  assert.match(text, /^fido_helper .*$/m);
  writeFileSync(config, text.replace(/^fido_helper .*$/m, `fido_helper = "${wrapper}"`));
}
