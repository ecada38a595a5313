import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { after, before, describe, it } from 'node:test';
import {
  error,
  info,
  type Peer,
  pam,
  prompt,
  type ReceivedFrame,
  result,
  wait,
  withdraw,
} from '../support/fake-daemon.ts';
import { type LoginOptions, ModuleRig } from '../support/module-rig.ts';
import { TerminalLogin } from '../support/terminal-login.ts';

/** A prompt that the module asks at the terminal itself, on a real pty. */
const rig = new ModuleRig();
before(() => rig.build());
after(() => rig.remove());

const text = 'Touch your key, or type a code: ';
const ask = (): Buffer => prompt(text, 'terminal');
const tags = { terminal: 0x0e, answer: 0x20 };
const { SIGINT, SIGQUIT, SIGHUP, SIGTERM, SIGALRM, SIGSTOP, SIGCONT } = constants.signals;

function told(frame: ReceivedFrame | undefined): string {
  const bytes = frame?.fields.get(tags.answer);
  return frame === undefined ? 'the end' : bytes === undefined ? frame.type : `${frame.type} ${bytes}`;
}

/** A login that hangs is a failure, and not to be waited for. */
const suites = { concurrency: 4, timeout: 30_000 };

interface Scene {
  readonly login: TerminalLogin;
  /** The daemon's side of the connection, HELLO taken. */
  readonly peer: Peer;
  readonly hello: ReceivedFrame;
  /** The next frame of the module. */
  hears(): Promise<string>;
}

/** A login whose daemon has got HELLO and does nothing more by itself. */
async function scene(options: LoginOptions = {}): Promise<Scene> {
  const place = rig.place();
  const connected = new Promise<Peer>((resolve, reject) => {
    place.listen((peer) => resolve(peer)).catch(reject);
  });
  const login = new TerminalLogin(place, options);
  login.outcome.catch(() => undefined);
  const peer = await connected;
  const hello = await peer.next();
  assert.ok(hello);
  return { login, peer, hello, hears: async () => told(await peer.next()) };
}

/** The prompt stands on the terminal, and what is typed does not show. */
async function prompted(options: LoginOptions = {}): Promise<Scene> {
  const made = await scene(options);
  assert.deepEqual(made.hello.fields.get(tags.terminal), Buffer.from([1]));
  made.peer.send(wait(), ask());
  await made.login.sees(/code: /);
  assert.equal((await made.login.state()).echo, false);
  return made;
}

/** The code, and the terminal as it was, with nothing in its queue that a shell would read. */
async function ends(login: TerminalLogin, code: number): Promise<void> {
  assert.equal((await login.outcome).code, code);
  const { signal, echo, same, left } = await login.ended();
  assert.deepEqual({ signal, echo, same, left }, { signal: 0, echo: true, same: true, left: '' });
  assert.match(login.screen, /\r\n$/);
}

async function hellosTerminal(options: LoginOptions): Promise<number | undefined> {
  const { login, peer, hello } = await scene(options);
  peer.send(result(pam.ignore));
  assert.equal((await login.outcome).code, pam.ignore);
  return hello.fields.get(tags.terminal)?.readUInt8(0);
}

describe('HELLO says terminal', suites, () => {
  for (const word of ['tty=@', 'tty=@short']) {
    it(`to a program on its terminal, ${word}`, async () => {
      assert.equal(await hellosTerminal({ words: [word] }), 1);
    });
  }

  const others: readonly (readonly [what: string, options: LoginOptions])[] = [
    ['with no_terminal', { options: ['no_terminal'] }],
    ['with password_and_code', { options: ['password_and_code'] }],
    ['with first_pass', { options: ['first_pass'], probe: ['authtok=x'] }],
    ['in the background', { terminal: ['background'] }],
    ['with another standard input', { terminal: ['no-stdin'] }],
    ['with a terminal that is not its own', { terminal: ['other-stdin'] }],
    ['with no standard input', { words: ['tty=@', 'close-std'] }],
    ['without PAM_TTY', { words: ['tty='] }],
    ...['ssh', ':0', 'null', '/dev/tty', '/dev/console', '/etc/passwd', 'pts/ptmx'].map(
      (name) => [`with PAM_TTY ${name}`, { words: [`tty=${name}`] }] as const,
    ),
  ];
  for (const [what, options] of others) {
    it(`not ${what}`, async () => assert.equal(await hellosTerminal(options), undefined));
  }

  it('not to a program that has no terminal', async () => {
    const place = rig.place();
    const daemon = await place.listen(async (peer) => {
      await peer.next();
      peer.send(result(pam.ignore));
      await peer.end();
    });
    assert.equal((await place.login({ words: ['tty=pts/0'] })).code, pam.ignore);
    assert.equal(daemon.peers[0]?.received[0]?.fields.has(tags.terminal), false);
  });
});

describe('a prompt at the terminal', suites, () => {
  it('is ended by a touch, while nothing was typed', async () => {
    const { login, peer, hears } = await prompted();
    peer.send(withdraw());
    assert.equal(await hears(), 'withdrawn');
    peer.send(info('welcome'), result(pam.success));
    await ends(login, pam.success);
    assert.deepEqual((await login.outcome).messages, [{ event: 'message', style: 4, text: 'welcome' }]);
  });

  it('drops half a code at a touch', async () => {
    const { login, peer, hears } = await prompted();
    login.press('12345');
    await login.state();
    peer.send(withdraw());
    assert.equal(await hears(), 'withdrawn');
    peer.send(result(pam.success));
    await ends(login, pam.success);
  });

  it('takes a code, which is seen nowhere', async () => {
    const { login, peer, hears } = await prompted();
    login.press('755224\r');
    assert.equal(await hears(), 'answer 755224');
    peer.send(result(pam.success));
    await ends(login, pam.success);
    assert.equal(login.screen, `${text}\r\n`);
  });

  it('takes lines as the terminal edits them', async () => {
    const { login, peer, hears } = await prompted();
    login.press('wrong\x15755\x7f\x7f55224\n');
    assert.equal(await hears(), 'answer 755224');
    peer.send(error('no'), ask());
    await login.sees(/code: /, 2);
    login.press('\r');
    assert.equal(await hears(), 'answer ');
    peer.send(ask());
    await login.sees(/code: /, 3);
    login.press('755\x04224\r');
    assert.equal(await hears(), 'answer 755224');
    peer.send(result(pam.authErr));
    await ends(login, pam.authErr);
  });

  it('drops what was typed before it', async () => {
    const { login, peer, hears } = await scene();
    login.press('typed ahead\rand more');
    await login.sees(/and more/);
    peer.send(ask());
    await login.sees(/code: /);
    login.press('755224\r');
    assert.equal(await hears(), 'answer 755224');
    peer.send(result(pam.success));
    await ends(login, pam.success);
  });

  it('takes an answer of 1024 bytes, and none of 1025, of which nothing is left', async () => {
    for (const length of [1024, 1025, 4000]) {
      const { login, peer, hears } = await prompted();
      login.press(`${'x'.repeat(length)}\r`);
      if (length > 1024) {
        assert.equal(await hears(), 'cancel');
        await ends(login, pam.authErr);
        continue;
      }
      assert.equal(await hears(), `answer ${'x'.repeat(length)}`);
      peer.send(result(pam.success));
      await ends(login, pam.success);
    }
  });

  it('a touch goes before a code of the same moment', async () => {
    const { login, peer, hears } = await prompted();
    login.signal(SIGSTOP);
    await login.stopped();
    login.press('755224\r');
    await login.state();
    await new Promise((resolve) => peer.socket.write(withdraw(), resolve));
    login.foreground();
    assert.equal(await hears(), 'withdrawn');
    peer.send(result(pam.success));
    await ends(login, pam.success);
  });

  it('twice in a row: withdrawn, then answered; answered, then withdrawn', async () => {
    const { login, peer, hears } = await prompted();
    peer.send(withdraw());
    assert.equal(await hears(), 'withdrawn');
    peer.send(error('not this key'), ask());
    await login.sees(/code: /, 2);
    login.press('1\r');
    assert.equal(await hears(), 'answer 1');
    peer.send(wait(), ask());
    await login.sees(/code: /, 3);
    assert.equal((await login.state()).echo, false);
    peer.send(withdraw());
    assert.equal(await hears(), 'withdrawn');
    peer.send(prompt('PIN: '));
    assert.equal(await hears(), 'cancel');
    await ends(login, pam.authErr);
  });

  it('a WITHDRAW that crosses the answer is dropped, once', async () => {
    const { login, peer, hears } = await prompted();
    login.press('755224\r');
    assert.equal(await hears(), 'answer 755224');
    peer.send(withdraw(), ask());
    await login.sees(/code: /, 2);
    login.press('755225\r');
    assert.equal(await hears(), 'answer 755225');
    peer.send(withdraw(), wait(), result(pam.success));
    await ends(login, pam.success);
  });

  it('what was typed is nowhere in memory afterwards, answered or not', async () => {
    const typed = `${'a long passphrase, '.repeat(20)}correct-horse-battery-755224`;
    const probe = [`needle=${Buffer.from(typed.slice(-28)).toString('hex')}`];
    for (const keys of [`${typed}\r`, `${'y'.repeat(600)}${typed}${typed}\r`]) {
      const { login, peer, hears } = await prompted({ probe });
      login.press(keys);
      if ((await hears()) !== 'cancel') peer.send(result(pam.authErr));
      assert.equal((await login.outcome).module.found, 0);
    }
  });
});

describe('the terminal is as it was', suites, () => {
  for (const code of [pam.authErr, pam.maxtries, pam.permDenied, pam.systemErr]) {
    it(`after a refusal (${code}) while half a code stands there`, async () => {
      const { login, peer } = await prompted();
      login.press('123');
      await login.state();
      peer.send(result(code));
      await ends(login, code);
      assert.equal(peer.received.length, 1);
    });
  }

  it('when the daemon dies', async () => {
    const { login, peer } = await prompted();
    peer.close();
    await ends(login, pam.systemErr);
  });

  it('when the deadline passes', async () => {
    const { login, hears } = await prompted({ options: ['timeout=5'] });
    login.press('123');
    assert.equal(await hears(), 'cancel');
    await ends(login, pam.systemErr);
    const { ms } = (await login.outcome).module;
    assert.ok(ms >= 4950 && ms < 6500, `${ms} ms`);
  });

  it('when the deadline passes and ^S holds the prompt back', async () => {
    const { login, peer, hears } = await scene({ options: ['timeout=5'] });
    login.press('\x13');
    await login.state();
    peer.send(ask());
    assert.equal(await hears(), 'cancel');
    assert.equal((await login.outcome).code, pam.systemErr);
    const { echo, same } = await login.ended();
    assert.deepEqual({ echo, same }, { echo: true, same: true });
  });

  it('after ^D', async () => {
    const { login, hears } = await prompted();
    login.press('\x04');
    assert.equal(await hears(), 'cancel');
    await ends(login, pam.authErr);
  });

  for (const [what, key, number] of [
    ['^C', '\x03', SIGINT],
    ['^\\', '\x1c', SIGQUIT],
  ] as const) {
    it(`after ${what} in a program that has it blocked, as sudo has`, async () => {
      const { login, hears } = await prompted({ words: ['block'] });
      login.press(`12${key}`);
      assert.equal(await hears(), 'cancel');
      await ends(login, pam.authErr);
    });
    it(`after ${what} in a program that ignores it`, async () => {
      const { login, hears } = await prompted({ terminal: [`ignore=${number}`] });
      login.press(`12${key}`);
      assert.equal(await hears(), 'cancel');
      await ends(login, pam.authErr);
    });
    it(`after ${what} in a program that it ends`, async () => {
      const { login, hears } = await prompted();
      login.press(`12${key}`);
      assert.equal(await hears(), 'the end');
      const { signal, echo, same, left } = await login.ended();
      assert.deepEqual({ signal, echo, same, left }, { signal: number, echo: true, same: true, left: '' });
    });
  }

  for (const number of [SIGTERM, SIGHUP, SIGALRM]) {
    it(`when signal ${number} ends the program`, async () => {
      const { login, hears } = await prompted();
      login.signal(number);
      assert.equal(await hears(), 'the end');
      const { signal, echo, same } = await login.ended();
      assert.deepEqual({ signal, echo, same }, { signal: number, echo: true, same: true });
    });
    it(`and the prompt goes on when the program ignores signal ${number}`, async () => {
      const { login, peer, hears } = await prompted({ terminal: [`ignore=${number}`] });
      login.signal(number);
      await new Promise((resolve) => setTimeout(resolve, 300));
      login.press('1\r');
      assert.equal(await hears(), 'answer 1');
      peer.send(result(pam.success));
      await ends(login, pam.success);
    });
  }

  it('while ^Z has stopped the program, which then asks anew', async () => {
    const { login, peer, hears } = await prompted();
    for (const time of [1, 2]) {
      login.press('12\x1a');
      const { echo, same } = await login.stopped(time);
      assert.deepEqual({ echo, same }, { echo: true, same: true });
      login.foreground();
      await login.sees(/code: /, time + 1);
      assert.equal((await login.state()).echo, false);
    }
    login.press('755224\r');
    assert.equal(await hears(), 'answer 755224');
    peer.send(result(pam.success));
    await ends(login, pam.success);
  });

  it('while the program, stopped by ^Z, is continued in the background', async () => {
    const { login, peer, hears } = await prompted();
    login.press('\x1a');
    await login.stopped();
    login.signal(SIGCONT);
    const { echo, same } = await login.stopped(2);
    assert.deepEqual({ echo, same }, { echo: true, same: true });
    login.foreground();
    await login.sees(/code: /, 2);
    login.press('755224\r');
    assert.equal(await hears(), 'answer 755224');
    peer.send(result(pam.success));
    await ends(login, pam.success);
  });

  it('when the key is touched while ^Z has stopped the program', async () => {
    const { login, peer, hears } = await prompted();
    login.press('\x1a');
    await login.stopped();
    peer.send(withdraw());
    login.foreground();
    assert.equal(await hears(), 'withdrawn');
    peer.send(result(pam.success));
    await ends(login, pam.success);
  });

  it('a terminal that hangs up cancels', async () => {
    const { login, hears } = await prompted({ terminal: [`ignore=${SIGHUP}`] });
    login.hangUp();
    assert.equal(await hears(), 'cancel');
    assert.equal((await login.outcome).code, pam.authErr);
  });

  it('a terminal that is gone before the prompt cancels', async () => {
    const { login, peer, hears } = await scene({ terminal: [`ignore=${SIGHUP}`] });
    login.hangUp();
    assert.equal((await login.state()).gone, true);
    peer.send(ask());
    assert.equal(await hears(), 'cancel');
    const { code, logs } = await login.outcome;
    assert.equal(code, pam.authErr);
    assert.match(logs.join('\n'), /cannot ask at the terminal/);
  });
});

describe('a violation at the terminal', suites, () => {
  const open: readonly (readonly [what: string, bytes: Buffer])[] = [
    ['SUCCESS at an open prompt', result(pam.success)],
    ['IGNORE at an open prompt', result(pam.ignore)],
    ['INFO at an open prompt', info('x')],
    ['WAIT at an open prompt', wait()],
    ['a second PROMPT', ask()],
    ['half a frame and the end', withdraw().subarray(0, 3)],
  ];
  for (const [what, bytes] of open) {
    it(what, async () => {
      const { login, peer } = await prompted();
      peer.send(bytes);
      peer.close();
      await ends(login, pam.systemErr);
      assert.equal(peer.received.length, 1);
    });
  }

  it('WITHDRAW where nothing was asked', async () => {
    const { login, peer } = await scene();
    peer.send(wait(), withdraw(), result(pam.success));
    assert.equal((await login.outcome).code, pam.systemErr);
  });

  it('WITHDRAW twice at one prompt, open or answered', async () => {
    const withdrawn = await prompted();
    withdrawn.peer.send(withdraw(), withdraw(), result(pam.success));
    await ends(withdrawn.login, pam.systemErr);
    const answered = await prompted();
    answered.login.press('1\r');
    assert.equal(await answered.hears(), 'answer 1');
    answered.peer.send(withdraw(), withdraw(), result(pam.success));
    await ends(answered.login, pam.systemErr);
  });

  it('WITHDRAW at a prompt of the conversation, open or answered', async () => {
    const { login, peer, hears } = await scene({ words: ['answer=31'] });
    peer.send(prompt());
    assert.equal(await hears(), 'answer 1');
    peer.send(withdraw(), result(pam.success));
    assert.equal((await login.outcome).code, pam.systemErr);
    const open = await scene({ words: ['answer=31'] });
    open.peer.send(prompt(), withdraw(), result(pam.success));
    assert.equal((await open.login.outcome).code, pam.systemErr);
  });

  it('WITHDRAW for a prompt before the last one', async () => {
    const { login, peer, hears } = await prompted({ words: ['answer=32'] });
    login.press('1\r');
    assert.equal(await hears(), 'answer 1');
    peer.send(prompt());
    assert.equal(await hears(), 'answer 2');
    peer.send(withdraw(), result(pam.success));
    await ends(login, pam.systemErr);
  });

  it('a terminal prompt where HELLO does not say terminal', async () => {
    for (const options of [
      { options: ['no_terminal'] },
      { options: ['password_and_code'] },
      { terminal: ['no-stdin'] },
    ]) {
      const { login, peer, hears } = await scene(options);
      peer.send(ask(), withdraw(), result(pam.success));
      assert.equal(await hears(), 'the end');
      assert.equal((await login.outcome).code, pam.systemErr);
      assert.equal(login.screen, '');
    }
  });
});
