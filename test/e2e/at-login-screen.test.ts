import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { run } from '../support/rig/commands.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, allowSudo, as, type Person, password } from '../support/rig/people.ts';
import { pamApp, prepare, scenario } from '../support/rig/scenario.ts';
import { makeSshKeys, ssh, startSshd } from '../support/rig/ssh.ts';
import { useSnippet, writeProvenStack } from '../support/rig/stack.ts';
import { sudoFlush } from '../support/rig/terminal.ts';
import { Screen, type Theme, themes } from '../support/screen-picture.ts';

/** What a user sees of a new secret on a screen of 80 columns and 24 rows, and where it must not be shown. */
const realms = `
[[realm]]
name = "staff"
members = { uids = ["3000-3999"] }
require = "totp"
enrol = "at-login"

[[realm]]
name = "rest"
require = "none"
`;
const port = 2219;
const size = { columns: 80, rows: 24 };
const prompt = /Verification code:/;
const typed = /No picture\? Type in: ((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})/;
const seed = /(?:[A-Z2-7]{4} ?){8}/;

await inNamespace(import.meta.filename, async () => {
  const product = await prepare(realms);
  useSnippet('sshd', 'sallyport-sshd');
  useSnippet('sudo', 'sallyport-sudo');
  useSnippet('su', 'sallyport-su');
  allowSudo();
  makeSshKeys();
  await startSshd(port, 'sallyport-password-code.conf');

  const onScreen = async (
    argv: readonly string[],
    look: (screen: Screen) => Promise<void>,
    environment: NodeJS.ProcessEnv = {},
  ): Promise<void> => {
    const screen = new Screen(argv, size, { LC_ALL: 'C.UTF-8', ...environment });
    try {
      await screen.sees(/[Pp]assword/);
      await pause(sudoFlush);
      screen.send(password);
      await look(screen);
    } finally {
      screen.close();
    }
  };
  /** The QR code contains the secret printed below it. */
  const isRead = async (screen: Screen, name: string): Promise<void> => {
    await screen.sees(prompt);
    const [, secret = ''] = await screen.sees(typed);
    for (const theme of Object.keys(themes) as Theme[]) {
      const [uri = ''] = screen.scan(theme);
      assert.ok(uri.startsWith(`otpauth://totp/${hostname()}:${name}?`), `${theme}: ${screen.text()}`);
      assert.equal(new URL(uri).searchParams.get('secret'), secret.replaceAll(' ', ''));
    }
  };

  scenario(
    product,
    'over ssh the QR code can be scanned on dark and light terminals, with its prompt',
    async () => {
      addPerson('alice');
      await onScreen(ssh('alice', { port }, ['true']), (screen) => isRead(screen, 'alice'));
    },
  );

  scenario(product, 'shows the secret as text if the client cannot show block characters', async () => {
    addPerson('bob');
    const plain = async (screen: Screen) => {
      await screen.sees(prompt);
      await screen.sees(typed);
    };
    await onScreen(ssh('bob', { port }, ['true']), plain, { LC_ALL: 'C' });
    await onScreen(['dbclient', '-y', '-y', '-p', String(port), 'bob@127.0.0.1', 'true'], plain);
  });

  /** A file that the user may write, used as standard output. */
  const redirected = (person: Person, command: string): readonly string[] => [
    ...as(person),
    ...['sh', '-c', `${command} > ${person.home}/out`],
  ];
  const written = (person: Person) => readFileSync(`${person.home}/out`, 'utf8');

  scenario(
    product,
    'sudo and su show the secret on the terminal, and write none of it into a file',
    async () => {
      const carol = addPerson('carol');
      addPerson('dave');
      const commands = [
        ['sudo -k true', 'carol'],
        ['su dave -c true', 'dave'],
      ] as const;
      for (const [command, name] of commands) {
        await onScreen(redirected(carol, command), (screen) => isRead(screen, name));
        assert.doesNotMatch(written(carol), seed, command);
        assert.doesNotMatch(written(carol), /[█▀▄]/, command);
      }
    },
  );

  scenario(product, 'sudo without a terminal shows no secret, and says where to enrol', async () => {
    const erin = addPerson('erin');
    const askpass = `${erin.home}/askpass`;
    writeFileSync(askpass, `#!/bin/sh\nprintf '%s\\n' "$*" >> ${erin.home}/asked\necho ${password}\n`);
    chmodSync(askpass, 0o755);
    const [program = '', ...argv] = as(erin);
    const sudo = (...words: string[]) =>
      run(program, [...argv, `SUDO_ASKPASS=${askpass}`, ...words], { input: `${password}\n${password}\n` });
    for (const words of [
      ['setsid', 'sudo', '-kA', 'true'],
      ['setsid', 'sudo', '-kS', 'true'],
    ]) {
      const { status, stdout, stderr } = await sudo(...words);
      assert.notEqual(status, 0);
      assert.doesNotMatch(stdout + stderr, seed, words.join(' '));
      assert.match(stdout + stderr, /Add one first: log in over ssh\./, words.join(' '));
    }
    // The program has a terminal, but its input comes from elsewhere.
    const screen = new Screen([...as(erin), 'sh', '-c', `echo ${password} | sudo -kS true`], size);
    try {
      await screen.sees(/log in over ssh\./);
      assert.doesNotMatch(screen.text(), seed);
    } finally {
      screen.close();
    }
  });

  scenario(product, 'sudo -A at a terminal passes no secret to the askpass program', async () => {
    const frank = addPerson('frank');
    const askpass = `${frank.home}/askpass`;
    writeFileSync(askpass, `#!/bin/sh\nprintf '%s\\n' "$*" >> ${frank.home}/asked\necho ${password}\n`);
    chmodSync(askpass, 0o755);
    writeFileSync(`${frank.home}/asked`, '');
    chmodSync(`${frank.home}/asked`, 0o666);
    const screen = new Screen(redirected(frank, `SUDO_ASKPASS=${askpass} sudo -kA true`), size, {
      LC_ALL: 'C.UTF-8',
    });
    try {
      await isRead(screen, 'frank');
    } finally {
      screen.close();
    }
    assert.doesNotMatch(readFileSync(`${frank.home}/asked`, 'utf8') + written(frank), seed);
  });

  scenario(product, 'other programs are shown no secret, whatever their name and terminal', async () => {
    addPerson('grace');
    const services = [
      ['gdm-password', '/dev/tty1'],
      ['lightdm', ':0'],
      ['sddm', ':0'],
      ['xrdp-sesman', 'xrdp-sesman'],
      ['vsftpd', 'ftp'],
      ['dovecot', 'dovecot'],
      ['polkit-1', ''],
      ['cron', 'cron'],
      ['sshd-too', 'ssh'],
    ] as const;
    for (const [service, tty] of services) {
      writeProvenStack(service);
      const terminal = tty === '' ? [] : ['--tty', tty];
      const shown = await run(pamApp, [...terminal, service, 'grace', '000000', '000000']);
      assert.notEqual(shown.status, 0, service);
      assert.match(shown.stdout, /You need a second factor and have none\. Add one first/, service);
      assert.doesNotMatch(shown.stdout, seed, service);
      assert.doesNotMatch(shown.stdout, /[█▀▄]/, service);
    }
  });
});
