import assert from 'node:assert/strict';
import { hotp, totp, wrongHotp } from '../support/codes.ts';
import { type Finished, run } from '../support/rig/commands.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, as, type Person, password } from '../support/rig/people.ts';
import { staffAndRest } from '../support/rig/realms.ts';
import { pamApp, prepare, scenario } from '../support/rig/scenario.ts';
import { makeSshKeys, ssh, startSshd } from '../support/rig/ssh.ts';
import { moduleLine, useSnippet, writeStack } from '../support/rig/stack.ts';
import { Terminal } from '../support/rig/terminal.ts';

/** Programs with other prompting habits: one field, running as their user, or one string for every prompt. */
const authErr = 7;
const systemErr = 4;
const sshdPort = 2204;

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(staffAndRest);
  const asRoot = (service: string, user: string, ...answers: string[]): Promise<Finished> =>
    run(pamApp, [service, user, ...answers]);
  const asUser = (person: Person, service: string, user: string, ...answers: string[]): Promise<Finished> => {
    const [program = '', ...argv] = [...as(person), pamApp, service, user, ...answers];
    return run(program, argv);
  };
  const status = async (finished: Promise<Finished>): Promise<number | null> => (await finished).status;

  writeStack('code-alone', [`auth requisite ${moduleLine()}`, 'auth required pam_permit.so']);

  scenario(product, "a program of alice's can log in alice", async () => {
    const alice = addPerson('alice');
    const secret = await product.addHotp('alice');
    assert.equal(
      await status(asUser(alice, 'sallyport-locker', 'alice', `${password}${hotp(secret, 0)}`)),
      0,
    );
    assert.equal(
      await status(asUser(alice, 'sallyport-locker', 'alice', `${password}${hotp(secret, 0)}`)),
      authErr,
    );
    assert.equal(
      await status(asUser(alice, 'sallyport-locker', 'alice', `wrong${hotp(secret, 1)}`)),
      authErr,
    );
    assert.equal(await status(asUser(alice, 'code-alone', 'alice', hotp(secret, 2))), 0);
  });

  scenario(product, "a program of alice's cannot log in bob, not even with bob's code", async () => {
    const mallory = addPerson('mallory');
    addPerson('bob');
    const secret = await product.addHotp('bob');
    const refused = await asUser(
      mallory,
      'code-alone',
      'bob',
      hotp(secret, 0),
      hotp(secret, 1),
      hotp(secret, 2),
    );
    assert.notEqual(refused.status, 0, refused.stdout);
    assert.deepEqual(await product.failures('bob'), { codes: 0, any: 0 });
    assert.equal(await status(asRoot('code-alone', 'bob', hotp(secret, 0))), 0, 'the code was not spent');
  });

  scenario(product, 'a locker of a user who needs no code, and one without a daemon', async () => {
    const heidi = addPerson('heidi', 4000);
    assert.equal(await status(asUser(heidi, 'sallyport-locker', 'heidi', password)), 0);
    assert.equal(await status(asUser(heidi, 'sallyport-locker', 'heidi', 'wrong')), authErr);
    await product.stop();
    assert.equal(await status(asUser(heidi, 'sallyport-locker', 'heidi', password)), systemErr);
    await product.start();
  });

  scenario(product, 'an application that answers every prompt with one string locks no account', async () => {
    addPerson('carol');
    const secret = await product.addHotp('carol');
    for (let tries = 0; tries < 12; tries += 1)
      assert.equal(await status(run(pamApp, ['--same', password, 'sallyport-sudo', 'carol'])), authErr);
    // Text in the format of a code is treated as one: it counts, but once for each call.
    const wrong = wrongHotp(secret, 0);
    assert.equal(await status(run(pamApp, ['--same', wrong, 'code-alone', 'carol'])), authErr);
    assert.deepEqual((await product.failures('carol')).codes <= 1, true);
    assert.equal(await status(asRoot('sallyport-sudo', 'carol', password, hotp(secret, 0))), 0);
  });

  scenario(
    product,
    'sshd with PasswordAuthentication sends one string to every prompt, and locks no account',
    async () => {
      addPerson('dave');
      const secret = await product.addHotp('dave');
      makeSshKeys();
      await startSshd(sshdPort, 'sallyport-one-prompt.conf');
      useSnippet('sshd', 'sallyport-sshd');
      for (let connections = 0; connections < 3; connections += 1) {
        const terminal = new Terminal(ssh('dave', { port: sshdPort }, ['true']));
        for (let tries = 0; tries < 3; tries += 1) await terminal.answer(/password: /, password);
        assert.equal(await terminal.ended(), 255);
      }
      assert.deepEqual(await product.failures('dave'), { codes: 0, any: 0 });
      useSnippet('sshd', 'sallyport-one-prompt');
      const terminal = new Terminal(ssh('dave', { port: sshdPort }, ['echo "in-$(id -un)"']));
      await terminal.answer(/password: /, `${password}${hotp(secret, 0)}`);
      await terminal.expect(/in-dave/);
    },
  );

  scenario(product, 'password and code in one answer: TOTP, HOTP and a recovery key', async () => {
    const one = 'sallyport-one-prompt';
    addPerson('erin');
    const erin = await product.addTotp('erin');
    assert.equal(await status(asRoot(one, 'erin', `${password}${totp(erin)}`)), 0);
    addPerson('frank');
    const frank = await product.addHotp('frank');
    assert.equal(await status(asRoot(one, 'frank', `${password}${hotp(frank, 0)}`)), 0);
    addPerson('grace');
    const [key = '', bare = ''] = await product.addRecovery('grace');
    assert.equal(await status(asRoot(one, 'grace', `${password}${key}`)), 0);
    assert.equal(await status(asRoot(one, 'grace', `${password}${bare.replaceAll('-', '')}`)), 0);
    assert.equal(await status(asRoot(one, 'grace', `${password}${key}`, `${password}${key}`)), authErr);
  });

  scenario(
    product,
    'password and code in one answer: blanks around the code are not the password',
    async () => {
      const one = 'sallyport-one-prompt';
      addPerson('henry');
      const secret = await product.addHotp('henry');
      const spaced = (code: string) => `${code.slice(0, 3)} ${code.slice(3)}`;
      const typed = [
        ` ${hotp(secret, 0)}`,
        spaced(hotp(secret, 1)),
        `${hotp(secret, 2)} `,
        ` ${spaced(hotp(secret, 3))}\r`,
      ];
      for (const end of typed) assert.equal(await status(asRoot(one, 'henry', password + end)), 0, end);
      const outcomes = (await product.events('henry')).filter(({ kind }) => kind === 'login');
      assert.deepEqual(
        outcomes.map(({ outcome, firstFactorVerified }) => [outcome, firstFactorVerified]),
        typed.map(() => ['accepted', false]),
      );
      // The password is wrong: the code is used, and nothing records this as a login.
      assert.notEqual(await status(asRoot(one, 'henry', `wrong${hotp(secret, 4)}`)), 0);
      assert.equal((await product.events('henry')).at(-1)?.outcome, 'accepted');
      assert.match((await product.cli(['user', 'show', 'henry'])).stdout, /first factor unknown/);
    },
  );

  scenario(product, 'password and code in one answer: neither of them is enough', async () => {
    const one = 'sallyport-one-prompt';
    addPerson('ivan');
    const secret = await product.addHotp('ivan');
    assert.notEqual(await status(asRoot(one, 'ivan', password)), 0);
    assert.notEqual(await status(asRoot(one, 'ivan', hotp(secret, 0))), 0);
    assert.notEqual(await status(asRoot(one, 'ivan', `wrong${hotp(secret, 1)}`)), 0);
    assert.notEqual(await status(asRoot(one, 'ivan', `${password}${wrongHotp(secret, 2)}`)), 0);
    assert.deepEqual(await product.failures('ivan'), { codes: 0, any: 0 });
    assert.equal(await status(asRoot(one, 'ivan', `${password}${hotp(secret, 2)}`)), 0);
    addPerson('judy', 4001);
    assert.equal(await status(asRoot(one, 'judy', password)), 0);
    assert.equal(await status(asRoot(one, 'judy', 'wrong')), authErr);
  });
});
