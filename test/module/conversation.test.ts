import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { askThen, error, info, type Peer, pam, prompt, result, say, wait } from '../support/fake-daemon.ts';
import { answer, type LoginOptions, ModuleRig, type Outcome } from '../support/module-rig.ts';

/** What is shown, what is typed, and what happens to it. */
const rig = new ModuleRig();
before(() => rig.build());
after(() => rig.remove());

const style = { hidden: 1, shown: 2, error: 3, info: 4 };
const answerTag = 0x20;

interface Asked {
  readonly outcome: Outcome;
  readonly peer: Peer;
  /** Frame types that the daemon received, answers with their text. */
  readonly heard: readonly string[];
}

async function ask(login: LoginOptions, ...afterAnswer: Buffer[]): Promise<Asked> {
  const place = rig.place();
  const daemon = await place.listen(askThen(...afterAnswer));
  const outcome = await place.login(login);
  const peer = daemon.peers[0];
  assert.ok(peer);
  await peer.end();
  const heard = peer.received.map(({ type, fields }) =>
    type === 'answer' ? `answer ${fields.get(answerTag)?.toString()}` : type,
  );
  return { outcome, peer, heard };
}

describe('a conversation', { concurrency: 4 }, () => {
  for (const [name, code] of Object.entries(pam)) {
    if (code === pam.serviceErr || code === pam.authinfoUnavail) continue;
    it(`the daemon's ${name} is what the program gets`, async () => {
      const { outcome, heard } = await ask({ words: [answer('123456')] }, result(code));
      assert.equal(outcome.code, code);
      assert.deepEqual(heard, ['hello', 'answer 123456']);
      assert.equal(outcome.module.user, 'alice');
      assert.equal(outcome.module.authtok, undefined);
    });
  }

  it('shows texts and prompts as they arrive, each in its own style', async () => {
    const place = rig.place();
    await place.listen(async (peer) => {
      await peer.next();
      peer.send(info('line 1\n\tline 2'), error('naïve'), prompt('Hidden: ', 'hidden'));
      await peer.next();
      peer.send(wait(), info('wrong'), prompt('Shown: ', 'shown'));
      await peer.next();
      peer.send(info('2 recovery keys are left.'), result(pam.success));
      await peer.end();
    });
    const outcome = await place.login({ words: [answer('1'), answer('2')] });
    assert.equal(outcome.code, pam.success);
    assert.deepEqual(
      outcome.messages.map(({ style: how, text }) => [how, text]),
      [
        [style.info, 'line 1\n\tline 2'],
        [style.error, 'naïve'],
        [style.hidden, 'Hidden: '],
        [style.info, 'wrong'],
        [style.shown, 'Shown: '],
        [style.info, '2 recovery keys are left.'],
      ],
    );
  });

  for (const text of ['', 'x'.repeat(1024), 'pässwort 755224', '\b\n\r\x7fINCORRECT']) {
    it(`an answer of ${Buffer.byteLength(text)} bytes is transmitted completely`, async () => {
      const { outcome, heard } = await ask({ words: [answer(text)] }, result(pam.success));
      assert.equal(outcome.code, pam.success);
      assert.deepEqual(heard, ['hello', `answer ${text}`]);
    });
  }

  const failures: readonly (readonly [what: string, words: readonly string[]])[] = [
    ['the conversation fails', ['error']],
    ['a response without a text', ['null']],
    ['success without a response, as from cron', ['untouched']],
    ['an answer of 1025 bytes', [answer('x'.repeat(1025))]],
    ['an answer of 100 000 bytes', [answer('x'.repeat(50_000))]],
  ];
  for (const [what, words] of failures) {
    it(`${what}: CANCEL, then AUTH_ERR`, async () => {
      const { outcome, heard } = await ask({ words }, result(pam.success));
      assert.equal(outcome.code, pam.authErr);
      assert.deepEqual(heard, ['hello', 'cancel']);
    });
  }

  for (const [what, frame, words] of [
    ['a prompt with echo is refused', prompt('Code: ', 'shown'), ['no-echo-on', answer('1')]],
    ['a text is refused', info('x'), ['no-info']],
    ['an error text is refused', error('x'), ['no-info']],
    ['there is no conversation', prompt(), ['no-conv']],
  ] as const) {
    it(`${what}: CANCEL, then AUTH_ERR`, async () => {
      const place = rig.place();
      const daemon = await place.listen(say(frame, result(pam.success)));
      assert.equal((await place.login({ words })).code, pam.authErr);
      await daemon.peers[0]?.end();
      assert.deepEqual(
        daemon.peers[0]?.received.map(({ type }) => type),
        ['hello', 'cancel'],
      );
    });
  }

  it('a PAM_USER other than the one in HELLO is not logged in, and stays as the program set it', async () => {
    const { outcome } = await ask({ words: ['become=root', answer('1')] }, result(pam.success));
    assert.equal(outcome.code, pam.systemErr);
    assert.equal(outcome.module.user, 'root');
  });

  it('a PAM_USER other than the one in HELLO is not ignored either', async () => {
    const { outcome } = await ask({ words: ['become=root', answer('1')] }, result(pam.ignore));
    assert.equal(outcome.code, pam.systemErr);
  });

  it('what was typed is afterwards neither in memory nor in the log', async () => {
    // Searches only for the end: allocators and later frames overwrite the beginning.
    const typed = `${'a long passphrase, '.repeat(20)}correct-horse-battery-755224`;
    const needle = `needle=${Buffer.from(typed.slice(-28)).toString('hex')}`;
    for (const mode of ['debug', 'password_and_code']) {
      for (const code of mode === 'debug' ? [pam.success, pam.authErr, 99] : [pam.authErr, 99]) {
        const login = { words: [answer(typed)], probe: [needle], options: [mode] };
        const { outcome, heard } = await ask(login, result(code));
        assert.equal(heard[1], `answer ${typed}`);
        assert.equal(outcome.module.found, 0, `${mode}, after code ${code}`);
        assert.ok(!outcome.logs.join('\n').includes('horse'));
      }
    }
  });
});

describe('^C while sudo has it blocked', { concurrency: true }, () => {
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    it(`${signal} ends a wait, with CANCEL`, async () => {
      const place = rig.place();
      const daemon = await place.listen(say(info('Approve in the browser.'), wait()));
      const login = place.start({ words: ['block'] });
      await login.shown();
      login.child.kill(signal);
      assert.equal((await login.outcome).code, pam.authErr);
      await daemon.peers[0]?.end();
      assert.deepEqual(
        daemon.peers[0]?.received.map(({ type }) => type),
        ['hello', 'cancel'],
      );
    });
  }

  it('also ends the wait for a silent daemon, and is no AUTHINFO_UNAVAIL', async () => {
    const place = rig.place();
    const daemon = await place.listen((peer) => peer.end());
    const login = place.start({ words: ['block'] });
    while (daemon.peers[0]?.received.length !== 1) await new Promise((resolve) => setTimeout(resolve, 10));
    login.child.kill('SIGINT');
    assert.equal((await login.outcome).code, pam.authErr);
  });
});

describe('a prompt that no user answers', () => {
  it('is SYSTEM_ERR after timeout=, with CANCEL, if the daemon did not end it', async () => {
    const place = rig.place();
    const daemon = await place.listen(askThen(result(pam.success)));
    const login = place.start({ words: ['stdin'], options: ['timeout=5'] });
    await login.shown();
    await new Promise((resolve) => setTimeout(resolve, 5200));
    login.child.stdin?.end('123456\n');
    assert.equal((await login.outcome).code, pam.systemErr);
    await daemon.peers[0]?.end();
    assert.deepEqual(
      daemon.peers[0]?.received.map(({ type }) => type),
      ['hello', 'cancel'],
    );
  });
});
