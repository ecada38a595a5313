import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hotp, totp, wrongHotp } from '../support/codes.ts';
import { someoneListens, until } from '../support/rig/commands.ts';
import { repository } from '../support/rig/layout.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, password, setUpRoot } from '../support/rig/people.ts';
import { pamSocket } from '../support/rig/product.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { useSnippet } from '../support/rig/stack.ts';
import { onTty, Terminal } from '../support/rig/terminal.ts';

/** login(1), with the stack of pam-config, including root's console fallback. */
const realms = `
[[realm]]
name = "everybody"
members = { uids = ["0", "3000-3999"] }
require = "any"

[[realm]]
name = "rest"
require = "none"
`;

async function type(terminal: Terminal, user: string, secret: string): Promise<void> {
  await terminal.answer(/login: /, user);
  await terminal.answer(/Password: /, secret);
}

async function isIn(terminal: Terminal, user: string): Promise<void> {
  await terminal.expect(/[$#] /);
  terminal.send('echo "in-$(id -un)"\r');
  await terminal.expect(new RegExp(`in-${user}\r`));
  await terminal.hangUp();
}

async function isRefused(terminal: Terminal): Promise<void> {
  await terminal.expect(/incorrect|Maximum number of tries exceeded/);
  await terminal.hangUp();
}

/** The commands that the page has root type; the words after `sallyport`. */
function offlineCommands(user: string): readonly (readonly string[])[] {
  const page = readFileSync(`${repository}/docs/how-to/recover-access.md`, 'utf8');
  const lines = page.split('\n').filter((line) => /^sallyport .* --offline$/.test(line));
  assert.ok(lines.length >= 3);
  return lines.map((line) => line.replace('USER', user).split(' ').slice(1));
}

/** A listener of another uid on the socket of sallyportd. */
const impostor = `
use Socket; socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die; bind($s, sockaddr_un($ARGV[0])) or die;
chmod 0666, $ARGV[0]; $) = "65534 65534"; $> = 65534; listen($s, 5) or die; sleep 600;
`;

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);
  setUpRoot();
  // The service of login -h from Debian 13 on; first, because it starts as login's own file.
  useSnippet('remote', 'sallyport-remote', 'login');
  useSnippet('login', 'sallyport-login');

  scenario(product, 'password and code', async () => {
    addPerson('alice');
    const secret = await product.addTotp('alice');
    const terminal = new Terminal(['login']);
    await type(terminal, 'alice', password);
    await terminal.answer(/Verification code: /, totp(secret));
    await isIn(terminal, 'alice');
  });

  scenario(
    product,
    'a wrong code, then the right one; a wrong password never reaches the prompt for a code',
    async () => {
      addPerson('bob');
      const secret = await product.addHotp('bob');
      const terminal = new Terminal(['login']);
      await type(terminal, 'bob', 'wrong');
      await terminal.expect(/incorrect/);
      assert.doesNotMatch(terminal.transcript, /code/);
      await type(terminal, 'bob', password);
      await terminal.answer(/code: /, wrongHotp(secret, 0));
      await terminal.answer(/code: /, hotp(secret, 0));
      await isIn(terminal, 'bob');
    },
  );

  scenario(product, 'root needs a code while the daemon answers', async () => {
    const secret = await product.addHotp('root');
    const wrong = onTty('tty1');
    await type(wrong, 'root', password);
    for (const ahead of [5000, 5001, 5002]) await wrong.answer(/code: /, hotp(secret, ahead));
    await isRefused(wrong);
    const right = onTty('tty1');
    await type(right, 'root', password);
    await right.answer(/code: /, hotp(secret, 0));
    await isIn(right, 'root');
  });

  scenario(
    product,
    "root's console fallback: only the password, on a local terminal, without a daemon",
    async () => {
      addPerson('carol');
      await product.addTotp('carol');
      await product.stop();
      const root = onTty('tty2');
      await type(root, 'root', password);
      await isIn(root, 'root');
      const guess = onTty('tty2');
      await type(guess, 'root', 'wrong');
      await isRefused(guess);
      const other = onTty('tty2');
      await type(other, 'carol', password);
      await isRefused(other);
      const afar = new Terminal(['login']);
      await type(afar, 'root', password);
      await isRefused(afar);
      const host = onTty('tty3', '-h', '192.0.2.1');
      await type(host, 'root', password);
      await isRefused(host);
      await product.start();
    },
  );

  scenario(
    product,
    'root follows docs/how-to/recover-access.md when all accounts are locked out',
    async () => {
      addPerson('erin');
      const secret = await product.addHotp('erin');
      for (let wrong = 0; wrong < 8; wrong += 1)
        await product.cli(['verify', 'erin'], `${wrongHotp(secret, 0)}\n`);
      await product.stop();
      const root = onTty('tty2');
      await type(root, 'root', password);
      await root.expect(/# /);
      for (const words of offlineCommands('erin')) {
        root.send(`${process.execPath} ${product.command(words).join(' ')}; echo "ended-$?"\r`);
        await root.expect(/ended-0\r/);
      }
      await root.hangUp();
      await product.start();
      const terminal = new Terminal(['login']);
      await type(terminal, 'erin', password);
      await terminal.answer(/Verification code or recovery key: /, hotp(secret, 0));
      await isIn(terminal, 'erin');
    },
  );

  scenario(
    product,
    "root's console fallback does not apply if another uid listens on the socket",
    async () => {
      await product.stop();
      rmSync(pamSocket, { force: true });
      const stranger = spawn('perl', ['-e', impostor, pamSocket], { stdio: 'ignore' });
      await until('the impostor listens', () => someoneListens(pamSocket));
      const root = onTty('tty4');
      await type(root, 'root', password);
      await isRefused(root);
      const gone = once(stranger, 'exit');
      stranger.kill('SIGKILL');
      await gone;
      rmSync(pamSocket, { force: true });
      await product.start();
    },
  );

  scenario(product, 'a stopped daemon counts as absent after five seconds', async () => {
    process.kill(product.pid, 'SIGSTOP');
    const root = onTty('tty5');
    await type(root, 'root', password);
    await isIn(root, 'root');
    process.kill(product.pid, 'SIGCONT');
    await until('sallyportd is rid of the call', () => product.openCalls() === 0);
  });

  scenario(product, "without the line of root's console fallback, root is refused too", async () => {
    const stack = '/etc/pam.d/sallyport-login';
    const text = readFileSync(stack, 'utf8');
    const without = text.replace(/^auth.*pam_succeed_if.*\n/m, '');
    assert.notEqual(without, text);
    writeFileSync(stack, without);
    await product.stop();
    const root = onTty('tty6');
    await type(root, 'root', password);
    await isRefused(root);
    await product.start();
    writeFileSync(stack, text);
  });
});
