import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import {
  type FakeDaemon,
  type Peer,
  pam,
  prompt,
  result,
  startFakeDaemon,
  wait,
  withdraw,
} from '../support/fake-daemon.ts';
import { run } from '../support/rig/commands.ts';
import { shippedModule } from '../support/rig/layout.ts';
import { work } from '../support/rig/machine.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { addPerson, allowSudo, as, type Person, password, setUpRoot } from '../support/rig/people.ts';
import { pamSocket } from '../support/rig/product.ts';
import { prepareStacks } from '../support/rig/scenario.ts';
import { useSnippet } from '../support/rig/stack.ts';
import { hangUpAll, Terminal } from '../support/rig/terminal.ts';

/** A touch, a code and ^C at the prompt of the module, in the programs that have one: the daemon is scripted. */
const touchOrType = /Touch your security key, or type a verification code: /;
const ask = (): Buffer => prompt('Touch your security key, or type a verification code: ', 'terminal');
const terminalTag = 0x0e;
const answerTag = 0x20;
const whoami = 'echo "in-$(id -un)"';

/** Terminal settings as a shell finds them after the program; dash repairs nothing, unlike bash. */
const thenState = (command: readonly string[]): string[] => [
  ...[
    'dash',
    '-c',
    `"$@"; echo "status-$?"; stty -a; bash -c 'read -r -t 0.2 left; echo "left-<$left>"'`,
    'dash',
  ],
  ...command,
];

async function isAsBefore(terminal: Terminal): Promise<void> {
  const [, settings = ''] = await terminal.expect(/status-\d+\s([\s\S]*)left-<>/);
  for (const word of ['isig', 'icanon', 'echo', 'icrnl'])
    assert.match(settings, new RegExp(`(^|\\s)${word}\\b`), word);
}

await inNamespace(import.meta.filename, async () => {
  await prepareStacks(shippedModule);
  allowSudo();
  setUpRoot();
  for (const service of ['sudo', 'su', 'login']) useSnippet(service, `sallyport-${service}`);
  mkdirSync(dirname(pamSocket), { recursive: true });
  const alice = addPerson('alice');
  addPerson('bob');

  /** One after the other: each test uses the socket exclusively. */
  function scenario(name: string, body: (next: () => Promise<Peer>) => Promise<void>): void {
    test(name, { timeout: 120_000 }, async () => {
      const peers: Peer[] = [];
      let wake = (): void => undefined;
      const daemon: FakeDaemon = await startFakeDaemon(pamSocket, (peer) => {
        peers.push(peer);
        wake();
      });
      const next = async (): Promise<Peer> => {
        while (peers.length === 0)
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        const peer = peers.shift();
        assert.ok(peer);
        return peer;
      };
      try {
        await body(next);
      } finally {
        await hangUpAll();
        await daemon.stop();
      }
    });
  }

  /** Takes HELLO and prompts at the terminal, which HELLO must have offered. */
  async function asked(next: () => Promise<Peer>): Promise<Peer> {
    const peer = await next();
    const hello = await peer.next();
    assert.equal(hello?.fields.get(terminalTag)?.readUInt8(0), 1);
    peer.send(wait(), ask());
    return peer;
  }

  async function touch(peer: Peer): Promise<void> {
    peer.send(withdraw());
    assert.equal((await peer.next())?.type, 'withdrawn');
    peer.send(result(pam.success));
  }

  const sudo = (person: Person, ...options: string[]): string[] => [
    ...[...as(person), 'sudo', '-k', ...options],
    ...['sh', '-c', whoami],
  ];

  for (const [what, line] of [
    ['without use_pty', 'Defaults !use_pty'],
    ['with use_pty', 'Defaults use_pty'],
  ] as const) {
    scenario(`sudo ${what}: a touch, then a code`, async (next) => {
      appendFileSync('/etc/sudoers', `${line}\n`);
      for (const way of ['touch', 'code']) {
        const terminal = new Terminal(thenState(sudo(alice)));
        await terminal.answer(/password for alice: /, password);
        const peer = await asked(next);
        await terminal.expect(touchOrType);
        if (way === 'touch') await touch(peer);
        else {
          terminal.send('755224\r');
          assert.equal(String((await peer.next())?.fields.get(answerTag)), '755224');
          peer.send(result(pam.success));
        }
        await terminal.expect(/in-root/);
        await isAsBefore(terminal);
        assert.doesNotMatch(terminal.transcript, /755224/);
      }
    });

    scenario(`sudo ${what}: ^C ends it, and its waiting parent`, async (next) => {
      const alone = new Terminal(['sh', '-c', '"$@"; echo "went-on"', 'sh', ...sudo(alice)]);
      await alone.answer(/password for alice: /, password);
      const peer = await asked(next);
      await alone.expect(touchOrType);
      alone.send('12\x03');
      assert.equal((await peer.next())?.type, 'cancel');
      assert.notEqual(await alone.ended(), 0);
      assert.doesNotMatch(alone.transcript, /went-on|in-root/);
    });
  }

  scenario('sudo stopped by ^Z prompts again when it is continued', async (next) => {
    const terminal = new Terminal(['bash', '--norc', '-i'], { PS1: 'shell> ' });
    await terminal.expect(/shell> /);
    terminal.send(`${sudo(alice).slice(0, -3).join(' ')} id -un\r`);
    await terminal.answer(/password for alice: /, password);
    const peer = await asked(next);
    await terminal.expect(touchOrType);
    terminal.send('\x1a');
    await terminal.expect(/Stopped[\s\S]*shell> /);
    terminal.send('fg\r');
    await terminal.expect(touchOrType);
    await touch(peer);
    await terminal.expect(/root\r\n[\s\S]*shell> /);
  });

  scenario('sudo -S, and sudo in a pipe, are offered no terminal', async (next) => {
    const [program = '', ...argv] = sudo(alice, '-S');
    const running = run(program, argv, { input: `${password}\n755224\n` });
    const peer = await next();
    assert.equal((await peer.next())?.fields.has(terminalTag), false);
    peer.send(prompt());
    assert.equal(String((await peer.next())?.fields.get(answerTag)), '755224');
    peer.send(result(pam.success));
    assert.equal((await running).stdout, 'in-root\n');
    const piped = new Terminal(['sh', '-c', 'echo | "$@"', 'sh', ...sudo(alice)]);
    await piped.answer(/password for alice: /, password);
    const second = await next();
    assert.equal((await second.next())?.fields.has(terminalTag), false);
    second.send(result(pam.success));
    await piped.expect(/in-root/);
  });

  scenario('sudo -A keeps using its helper, with no_terminal', async (next) => {
    const helper = `${work}/askpass`;
    writeFileSync(helper, `#!/bin/sh\necho ${password}\n`);
    chmodSync(helper, 0o755);
    const stack = '/etc/pam.d/sallyport-sudo';
    const sed = (expression: string) => run('sed', ['-i', expression, stack]);
    await sed('s/first_factor=passed/& no_terminal/');
    const terminal = new Terminal([
      ...as(alice),
      `SUDO_ASKPASS=${helper}`,
      ...sudo(alice, '-A').slice(as(alice).length),
    ]);
    const peer = await next();
    assert.equal((await peer.next())?.fields.has(terminalTag), false);
    peer.send(prompt());
    assert.equal(String((await peer.next())?.fields.get(answerTag)), password);
    peer.send(result(pam.success));
    await terminal.expect(/in-root/);
    await sed('s/ no_terminal//');
  });

  for (const options of [[], ['-P'], ['-']]) {
    scenario(`su ${options.join(' ')}: a touch; ^C`, async (next) => {
      const command = [...as(alice), 'su', ...options, 'bob', '-c', whoami];
      const touched = new Terminal(thenState(command));
      await touched.answer(/Password: /, password);
      const peer = await asked(next);
      await touched.expect(touchOrType);
      await touch(peer);
      await touched.expect(/in-bob/);
      await isAsBefore(touched);
      const broken = new Terminal(['dash', '-c', 'trap : INT; "$@"; stty -a; echo end', 'dash', ...command]);
      await broken.answer(/Password: /, password);
      const second = await asked(next);
      await broken.expect(touchOrType);
      broken.send('\x03');
      const gone = await second.next();
      assert.ok(gone === undefined || gone.type === 'cancel');
      const [settings] = await broken.expect(/speed[\s\S]*end/);
      assert.match(settings, / echo /);
      assert.doesNotMatch(broken.transcript, /in-bob/);
    });
  }

  scenario('login: a touch; LOGIN_TIMEOUT leaves the echo on', async (next) => {
    const touched = new Terminal(['login']);
    await touched.answer(/login: /, 'alice');
    await touched.answer(/Password: /, password);
    const peer = await asked(next);
    await touched.expect(touchOrType);
    // A session leader could not be continued: it is not stopped, and prompts again.
    touched.send('\x1a');
    await touched.expect(touchOrType);
    await touch(peer);
    await touched.expect(/[$#] /);
    touched.send('stty -a; echo "in-$(id -un)"\r');
    const [settings] = await touched.expect(/speed[\s\S]*in-alice/);
    assert.match(settings, / echo /);
    await touched.hangUp();

    await run('sed', ['-i', 's/^LOGIN_TIMEOUT.*/LOGIN_TIMEOUT 2/', '/etc/login.defs']);
    const late = new Terminal(['dash', '-c', 'login; stty -a; echo end']);
    await late.answer(/login: /, 'alice');
    await late.answer(/Password: /, password);
    const second = await asked(next);
    await late.expect(touchOrType);
    await second.end();
    const [left] = await late.expect(/speed[\s\S]*end/);
    assert.match(left, / echo /);
  });
});
