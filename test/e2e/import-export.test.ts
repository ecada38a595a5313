import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { readSeed } from '../../daemon/client/factor-input.ts';
import { hotp, newSecret, totp } from '../support/codes.ts';
import { must, run } from '../support/rig/commands.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, allowSudo, as, type Person, password } from '../support/rig/people.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { useSnippet, writeStack } from '../support/rig/stack.ts';

/**
 * Import from pam_google_authenticator and pam_oath, with files that these modules wrote and logins that they accepted.
 */
const realms = `
[[realm]]
name = "staff"
members = { uids = ["3000-3999"] }
require = ["totp"]

[[realm]]
name = "rest"
require = "none"
`;
const usersFile = '/etc/users.oath';

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);
  allowSudo();
  const unix = 'auth required pam_unix.so nodelay';
  writeStack('peer-google', [unix, 'auth required pam_google_authenticator.so']);
  writeStack('peer-oath', [unix, `auth required pam_oath.so usersfile=${usersFile} window=5 digits=6`]);

  /** sudo through this stack, with the password and one code. */
  const login = async (stack: string, person: Person, code: string): Promise<boolean> => {
    useSnippet('sudo', stack);
    const [program = '', ...argv] = [...as(person), 'sudo', '-k', '-S', 'id', '-un'];
    const { status, stdout } = await run(program, argv, { input: `${password}\n${code}\n` });
    assert.equal(/^root$/m.test(stdout), status === 0);
    return status === 0;
  };

  scenario(
    product,
    'google-authenticator: a code used there is used here, and the next one is accepted',
    async () => {
      const alice = addPerson('alice');
      const words = ['google-authenticator', '-t', '-d', '-f', '-C', '-q', '-r', '3', '-R', '30', '-w', '3'];
      const [program = '', ...argv] = [...as(alice), ...words, '-s', `${alice.home}/.google_authenticator`];
      must(program, argv);
      const lines = readFileSync(`${alice.home}/.google_authenticator`, 'utf8').split('\n');
      const secret = readSeed(lines[0] ?? '');
      const [first = '', second = ''] = lines.filter((line) => /^\d{8}$/.test(line));
      const at = Date.now();
      const code = (step: number) => totp(secret, { at, step });
      assert.equal(await login('peer-google', alice, code(0)), true);
      assert.equal(await login('peer-google', alice, first), true);

      await product.must(['import', 'google-authenticator', alice.home]);
      assert.equal(await login('sallyport-sudo', alice, code(0)), false);
      assert.equal(await login('sallyport-sudo', alice, first), false);
      assert.equal(await login('sallyport-sudo', alice, code(1)), true);
      assert.equal(await login('sallyport-sudo', alice, second), true);
      assert.equal(await login('sallyport-sudo', alice, second), false);
      const again = await product.cli(['import', 'google-authenticator', alice.home]);
      assert.match(again.stderr, /0 factors added, 0 with a newer last-used counter, 2 unchanged/);
      assert.equal(await login('sallyport-sudo', alice, second), false);
    },
  );

  scenario(product, 'pam_oath: the counter continues from its position', async () => {
    const bob = addPerson('bob');
    addPerson('carol');
    const secret = newSecret();
    const line = (name: string, key: Buffer) => `HOTP ${name} - ${key.toString('hex')}\n`;
    writeFileSync(usersFile, `${line('bob', secret)}${line('carol', newSecret())}HOTP nobody-at-all - 00\n`, {
      mode: 0o600,
    });
    // Two presses were skipped, as the module allows.
    assert.equal(await login('peer-oath', bob, hotp(secret, 2)), true);

    const done = await product.cli(['import', 'oath', usersFile, '--window', '5']);
    assert.equal(done.status, 1, 'one of them is no account');
    assert.match(done.stdout, /^nobody-at-all\t.*refused/m);
    assert.equal(await login('sallyport-sudo', bob, hotp(secret, 2)), false);
    assert.equal(await login('sallyport-sudo', bob, hotp(secret, 3)), true);
    assert.equal(await login('sallyport-sudo', bob, hotp(secret, 3)), false);
    const [imported] = await product.events('bob');
    assert.deepEqual([imported?.kind, imported?.reason], ['imported', 'oath']);
  });
});
