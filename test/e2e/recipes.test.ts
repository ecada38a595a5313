import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after } from 'node:test';
import { hotp, totp } from '../support/codes.ts';
import { type Recipe, readRecipes } from '../support/recipes.ts';
import { must } from '../support/rig/commands.ts';
import { inSession, openSession, prepareSessions, removeSessions } from '../support/rig/local-session.ts';
import { work } from '../support/rig/machine.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addGroup, addPerson, allowSudo, as, password, setUpRoot } from '../support/rig/people.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { compileSecurityKeys, makeSecurityKey, withSecurityKeys } from '../support/rig/security-keys.ts';
import { authorizeKey, authorizeKeys, makeSshKeys, ssh, startSshd } from '../support/rig/ssh.ts';
import { useSnippet } from '../support/rig/stack.ts';
import { onTty, Terminal } from '../support/rig/terminal.ts';

/** Every recipe of docs/how-to/recipes.md with its exact configuration, stacks, sshd lines and `explain` output. */
const recipes = readRecipes();
const whoami = 'echo "in-$(id -un)"';
const lan = '10.1.2.3';
const buildHost = '10.20.0.7';
const afar = '203.0.113.5';

await inNamespace(import.meta.filename, async () => {
  const product = await prepare('[[realm]]\nname = "default"\nrequire = "none"');
  for (const address of [lan, buildHost, afar]) must('ip', ['addr', 'add', `${address}/32`, 'dev', 'lo']);
  allowSudo();
  setUpRoot();
  makeSshKeys();
  compileSecurityKeys();
  const tried = new Set<string>();
  let port = 2240;

  /** Applies a recipe as its page says. @returns the port of an sshd for it */
  const follow = async (title: string): Promise<{ readonly recipe: Recipe; readonly at: number }> => {
    const recipe = recipes.get(title);
    assert.ok(recipe !== undefined, `docs/how-to/recipes.md has no "${title}"`);
    tried.add(title);
    product.writeRealms(recipe.toml);
    await product.must(['reload']);
    for (const { service, snippet } of recipe.stacks) useSnippet(service, snippet);
    const at = port++;
    if (recipe.sshd !== '') {
      const dropIn = `${work}/recipe-${at}.conf`;
      writeFileSync(dropIn, recipe.sshd);
      await startSshd(at, dropIn);
    }
    return { recipe, at };
  };
  /** The output of `explain` in the page. @param files where files of the page are */
  const check = async ({ checks }: Recipe, files: Readonly<Record<string, string>> = {}): Promise<void> => {
    assert.ok(checks.length > 0);
    for (const { words, lines } of checks) {
      const printed = (await product.must(words.map((word) => files[word] ?? word))).split('\n');
      for (const line of lines)
        assert.ok(
          printed.some((one) => one.startsWith(line)),
          `sallyport ${words.join(' ')}: no line "${line}" in\n${printed.join('\n')}`,
        );
    }
  };
  const member = (name: string, group: string, gid: number) => {
    const person = addPerson(name);
    addGroup(group, gid, [name]);
    return person;
  };
  const connect = (user: string, options: Parameters<typeof ssh>[1], command = [whoami]): Terminal =>
    new Terminal(
      ssh(
        user,
        {
          ...options,
          options: ['PreferredAuthentications=publickey,keyboard-interactive', ...(options.options ?? [])],
        },
        command,
      ),
    );
  const isIn = async (terminal: Terminal, user: string): Promise<void> => {
    await terminal.expect(new RegExp(`in-${user}`));
    assert.equal(await terminal.ended(), 0);
  };
  const isOut = async (terminal: Terminal, said = /Permission denied/): Promise<void> => {
    assert.equal(await terminal.ended(), 255, terminal.transcript);
    assert.match(terminal.transcript, said);
    assert.doesNotMatch(terminal.transcript, /in-/);
  };
  const nothingAsked = (terminal: Terminal): void =>
    assert.doesNotMatch(terminal.transcript, /password:|code: |factor: /i);
  const alice = member('alice', 'employees', 4100);

  scenario(product, 'ssh with a key and a code', async () => {
    const { recipe, at } = await follow('Ask for a key and a code over ssh');
    const secret = await product.addTotp('alice');
    await check(recipe);
    authorizeKey(alice);
    const terminal = connect('alice', { port: at, key: true, from: afar });
    await terminal.answer(/Verification code: /, totp(secret));
    await isIn(terminal, 'alice');
    assert.doesNotMatch(terminal.transcript, /Password/);
    const keyless = connect('alice', { port: at, from: afar });
    await isOut(keyless);
    nothingAsked(keyless);
    await product.must(['factor', 'remove', 'alice', 'TOTP', '--yes']);
    await isOut(
      connect('alice', { port: at, key: true, from: afar }),
      /second factor is required here and you have none/,
    );
  });

  scenario(product, 'ssh with the password and a code', async () => {
    const { recipe, at } = await follow('Ask for the password and a code over ssh');
    const secret = await product.addTotp('alice');
    await check(recipe);
    const terminal = connect('alice', { port: at, from: afar });
    await terminal.answer(/Password: /, password);
    await terminal.answer(/Verification code: /, totp(secret));
    await isIn(terminal, 'alice');
    const wrong = connect('alice', { port: at, from: afar });
    await wrong.answer(/Password: /, 'wrong');
    await wrong.expect(/Password: /);
    assert.doesNotMatch(wrong.transcript, /code/);
    await wrong.hangUp();
  });

  scenario(product, 'no code inside the LAN', async () => {
    const { recipe, at } = await follow('Skip the code inside the LAN');
    await check(recipe);
    const inside = connect('alice', { port: at, from: lan });
    await inside.answer(/Password: /, password);
    await isIn(inside, 'alice');
    assert.doesNotMatch(inside.transcript, /code/);
    const outside = connect('alice', { port: at, from: afar });
    await outside.answer(/Password: /, password);
    await outside.expect(/Verification code: /);
    await outside.hangUp();
  });

  scenario(product, 'automation accounts', async () => {
    const deploy = member('deploy', 'automation', 4101);
    const { recipe, at } = await follow('Let automation accounts in from their hosts only');
    authorizeKey(deploy);
    await check(recipe);
    const batch = { port: at, key: true, options: ['BatchMode=yes'] } as const;
    await isIn(connect('deploy', { ...batch, from: buildHost }), 'deploy');
    await isOut(connect('deploy', { ...batch, from: afar }));
    const elsewhere = connect('deploy', { port: at, key: true, from: afar });
    await isOut(elsewhere, /not allowed here/);
    assert.deepEqual((await product.events('deploy')).at(-1)?.reason, 'rule-refuse');

    // Without the Match block the realm accepts any keyboard-interactive login from the same hosts.
    const plain = port++;
    const dropIn = `${work}/recipe-${plain}.conf`;
    writeFileSync(dropIn, recipe.sshd.slice(0, recipe.sshd.indexOf('Match Group')));
    await startSshd(plain, dropIn);
    const asked = connect('deploy', { port: plain, key: true, from: buildHost });
    await isIn(asked, 'deploy');
    nothingAsked(asked);
    assert.deepEqual((await product.events('deploy')).at(-1)?.reason, 'rule-skip');
    await isOut(connect('deploy', { ...batch, port: plain, from: buildHost }));
  });

  scenario(product, 'sudo once in 15 minutes', async () => {
    const { recipe } = await follow('Ask sudo once in 15 minutes');
    await check(recipe);
    const secret = await product.addHotp('alice');
    prepareSessions();
    after(() => removeSessions());
    openSession('s1', false);
    // One terminal for both: a grant belongs to it. -k: sudo's own timestamp does not count.
    const shell = new Terminal(inSession('s1', [...as(alice), 'sh']));
    await shell.answer(/\$ /, `sudo -k sh -c '${whoami}'`);
    await shell.answer(/password for alice: /, password);
    await shell.answer(/code: /, hotp(secret, 0));
    await shell.expect(/in-root/);
    await shell.answer(/\$ /, "sudo -k sh -c 'echo again-$(id -u)'");
    await shell.answer(/password for alice: /, password);
    await shell.expect(/again-0\r?\n/);
    assert.deepEqual((await product.events('alice')).at(-1)?.reason, 'remembered');
    // Beside the first: a closed one would reuse its number.
    const other = new Terminal(inSession('s1', [...as(alice), 'sudo', '-k', 'sh', '-c', whoami]));
    await other.answer(/password for alice: /, password);
    await other.expect(/code: /);
    await other.hangUp();
    await shell.hangUp();
  });

  scenario(product, 'root on the console only', async () => {
    const { recipe, at } = await follow('Let root in at the console only');
    const secret = await product.addHotp('root');
    await check(recipe);
    const console = onTty('tty1');
    await console.answer(/login: /, 'root');
    await console.answer(/Password: /, password);
    await console.answer(/code: /, hotp(secret, 0));
    await console.expect(/[$#] /);
    console.send(`${whoami}\r`);
    await console.expect(/in-root\r/);
    await console.hangUp();
    const su = new Terminal([...as(alice), 'su', '-c', whoami]);
    await su.answer(/Password: /, password);
    await su.expect(/not allowed here/);
    await su.hangUp();
    assert.deepEqual((await product.events('root')).at(-1)?.reason, 'rule-refuse');
    const remote = connect('root', { port: at, from: lan });
    await remote.answer(/Password: /, password);
    await remote.expect(/Password: |Permission denied/);
    assert.doesNotMatch(remote.transcript, /in-|code: /);
    await remote.hangUp();
  });

  scenario(product, 'accounts restricted to sftp', async () => {
    const carl = member('carl', 'sftp-only', 4102);
    const { recipe, at } = await follow('Restrict accounts to sftp');
    const secret = await product.addHotp('carl');
    await check(recipe);
    const files = new Terminal(ssh('carl', { port: at, from: afar, program: 'sftp' }));
    await files.answer(/Password: /, password);
    await files.answer(/code: /, hotp(secret, 0));
    await files.answer(/sftp> /, 'pwd');
    await files.expect(new RegExp(`Remote working directory: ${carl.home}`));
    await files.answer(/sftp> /, 'bye');
    assert.equal(await files.ended(), 0);
    const shell = connect('carl', { port: at, from: afar });
    await shell.answer(/Password: /, password);
    await shell.answer(/code: /, hotp(secret, 1));
    // sftp's own protocol is used instead of a shell.
    await shell.hangUp();
    assert.doesNotMatch(shell.transcript, /in-carl/);
    const refused = new Terminal([...as(alice), 'su', 'carl', '-c', whoami]);
    await refused.answer(/Password: /, password);
    await refused.expect(/not allowed here/);
    await refused.hangUp();
  });

  scenario(product, 'administrators with security keys only', async () => {
    const dora = member('dora', 'admins', 4103);
    const { recipe, at } = await follow('Require security keys for administrators');
    const key = makeSecurityKey('dora-key');
    authorizeKeys(dora, [key.line]);
    await product.must(['factor', 'add', 'ssh-sk', 'dora', '--key', key.pub]);
    await check(recipe, { 'id_ed25519_sk.pub': key.pub });
    const withKey = (flags: number) =>
      new Terminal(
        ssh('dora', { port: at, key: key.file, from: afar, options: [withSecurityKeys] }, [whoami]),
        {
          SK_FLAGS: String(flags),
        },
      );
    const touched = withKey(5);
    await isIn(touched, 'dora');
    nothingAsked(touched);
    await isOut(withKey(1));
    authorizeKey(dora);
    await isOut(connect('dora', { port: at, key: true, from: afar }), /second factor is required/);
    await product.addTotp('dora');
    await isOut(
      connect('dora', { port: at, key: true, from: afar }),
      /None of your second factors is accepted/,
    );
  });

  scenario(product, 'every recipe is tested', async () => {
    assert.deepEqual([...tried].sort(), [...recipes.keys()].sort());
  });
});
