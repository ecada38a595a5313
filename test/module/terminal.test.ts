import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { after, before, describe, it } from 'node:test';
import { error, info, pam, prompt, result, wait, withdraw } from '../support/fake-daemon.ts';
import { type LoginOptions, ModuleRig } from '../support/module-rig.ts';
import { ask, ends, prompted, scene, suites, tags, text } from '../support/terminal-scene.ts';

/** A prompt that the module makes at the terminal itself, on a real pty. */
const rig = new ModuleRig();
before(() => rig.build());
after(() => rig.remove());

const { SIGSTOP } = constants.signals;

async function hellosTerminal(options: LoginOptions): Promise<number | undefined> {
  const { login, peer, hello } = await scene(rig, options);
  peer.send(result(pam.ignore));
  assert.equal((await login.outcome).code, pam.ignore);
  return hello.fields.get(tags.terminal)?.readUInt8(0);
}

describe('HELLO offers the terminal', suites, () => {
  for (const word of ['tty=@', 'tty=@short']) {
    it(`for a program on its terminal, ${word}`, async () => {
      assert.equal(await hellosTerminal({ words: [word] }), 1);
    });
  }

  const others: readonly (readonly [what: string, options: LoginOptions])[] = [
    ['with no_terminal', { options: ['no_terminal'] }],
    ['with password_and_code', { options: ['password_and_code'] }],
    ['with use_first_pass', { options: ['use_first_pass'], probe: ['authtok=x'] }],
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

  it('not for a program without a terminal', async () => {
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
  it('ends at a touch, before anything was typed', async () => {
    const { login, peer, hears } = await prompted(rig);
    peer.send(withdraw());
    assert.equal(await hears(), 'withdrawn');
    peer.send(info('welcome'), result(pam.success));
    await ends(login, pam.success);
    assert.deepEqual((await login.outcome).messages, [{ event: 'message', style: 4, text: 'welcome' }]);
  });

  it('drops half a code at a touch', async () => {
    const { login, peer, hears } = await prompted(rig);
    login.press('12345');
    await login.state();
    peer.send(withdraw());
    assert.equal(await hears(), 'withdrawn');
    peer.send(result(pam.success));
    await ends(login, pam.success);
  });

  it('takes a code without echo', async () => {
    const { login, peer, hears } = await prompted(rig);
    login.press('755224\r');
    assert.equal(await hears(), 'answer 755224');
    peer.send(result(pam.success));
    await ends(login, pam.success);
    assert.equal(login.screen, `${text}\r\n`);
  });

  it('takes lines as the terminal edits them', async () => {
    const { login, peer, hears } = await prompted(rig);
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
    const { login, peer, hears } = await scene(rig);
    login.press('typed ahead\rand more');
    await login.sees(/and more/);
    peer.send(ask());
    await login.sees(/code: /);
    login.press('755224\r');
    assert.equal(await hears(), 'answer 755224');
    peer.send(result(pam.success));
    await ends(login, pam.success);
  });

  it('accepts an answer of 1024 bytes, and rejects one of 1025 completely', async () => {
    for (const length of [1024, 1025, 4000]) {
      const { login, peer, hears } = await prompted(rig);
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

  it('a touch takes precedence over a code of the same moment', async () => {
    const { login, peer, hears } = await prompted(rig);
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
    const { login, peer, hears } = await prompted(rig);
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
    const { login, peer, hears } = await prompted(rig);
    login.press('755224\r');
    assert.equal(await hears(), 'answer 755224');
    peer.send(withdraw(), ask());
    await login.sees(/code: /, 2);
    login.press('755225\r');
    assert.equal(await hears(), 'answer 755225');
    peer.send(withdraw(), wait(), result(pam.success));
    await ends(login, pam.success);
  });

  it('what was typed is not in memory afterwards, answered or not', async () => {
    const typed = `${'a long passphrase, '.repeat(20)}correct-horse-battery-755224`;
    const probe = [`needle=${Buffer.from(typed.slice(-28)).toString('hex')}`];
    for (const keys of [`${typed}\r`, `${'y'.repeat(600)}${typed}${typed}\r`]) {
      const { login, peer, hears } = await prompted(rig, { probe });
      login.press(keys);
      if ((await hears()) !== 'cancel') peer.send(result(pam.authErr));
      assert.equal((await login.outcome).module.found, 0);
    }
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
      const { login, peer } = await prompted(rig);
      peer.send(bytes);
      peer.close();
      await ends(login, pam.systemErr);
      assert.equal(peer.received.length, 1);
    });
  }

  it('WITHDRAW without a prompt', async () => {
    const { login, peer } = await scene(rig);
    peer.send(wait(), withdraw(), result(pam.success));
    assert.equal((await login.outcome).code, pam.systemErr);
  });

  it('WITHDRAW twice at one prompt, open or answered', async () => {
    const withdrawn = await prompted(rig);
    withdrawn.peer.send(withdraw(), withdraw(), result(pam.success));
    await ends(withdrawn.login, pam.systemErr);
    const answered = await prompted(rig);
    answered.login.press('1\r');
    assert.equal(await answered.hears(), 'answer 1');
    answered.peer.send(withdraw(), withdraw(), result(pam.success));
    await ends(answered.login, pam.systemErr);
  });

  it('WITHDRAW at a prompt of the conversation, open or answered', async () => {
    const { login, peer, hears } = await scene(rig, { words: ['answer=31'] });
    peer.send(prompt());
    assert.equal(await hears(), 'answer 1');
    peer.send(withdraw(), result(pam.success));
    assert.equal((await login.outcome).code, pam.systemErr);
    const open = await scene(rig, { words: ['answer=31'] });
    open.peer.send(prompt(), withdraw(), result(pam.success));
    assert.equal((await open.login.outcome).code, pam.systemErr);
  });

  it('WITHDRAW for a prompt before the last one', async () => {
    const { login, peer, hears } = await prompted(rig, { words: ['answer=32'] });
    login.press('1\r');
    assert.equal(await hears(), 'answer 1');
    peer.send(prompt());
    assert.equal(await hears(), 'answer 2');
    peer.send(withdraw(), result(pam.success));
    await ends(login, pam.systemErr);
  });

  it('a terminal prompt although HELLO does not offer the terminal', async () => {
    for (const options of [
      { options: ['no_terminal'] },
      { options: ['password_and_code'] },
      { terminal: ['no-stdin'] },
    ]) {
      const { login, peer, hears } = await scene(rig, options);
      peer.send(ask(), withdraw(), result(pam.success));
      assert.equal(await hears(), 'the end');
      assert.equal((await login.outcome).code, pam.systemErr);
      assert.equal(login.screen, '');
    }
  });
});
