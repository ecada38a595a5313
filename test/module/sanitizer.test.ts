import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  askThen,
  error,
  info,
  pam,
  prompt,
  result,
  type Script,
  say,
  wait,
  withdraw,
} from '../support/fake-daemon.ts';
import { answer, type LoginOptions, ModuleRig } from '../support/module-rig.ts';
import { TerminalLogin } from '../support/terminal-login.ts';
import { vectorBytes, vectorIndex } from '../support/vectors.ts';

/**
 * The module and the program under ASan, UBSan and LSan. Any finding ends the driver with an error, which rejects the
 * login.
 */
const rig = new ModuleRig();
before(() => rig.build('asan'));
after(() => rig.remove());

const typed = { words: [answer('hunter2755224')] };
const longest = 'x'.repeat(1024);

const logins: readonly (readonly [what: string, script: Script, login: LoginOptions, code: number])[] = [
  ['accepted', askThen(wait(), info('welcome'), result(pam.success)), typed, pam.success],
  ['let off', say(result(pam.ignore)), typed, pam.ignore],
  ['refused', askThen(error('no'), result(pam.maxtries)), typed, pam.maxtries],
  ['the longest answer', askThen(result(pam.success)), { words: [answer(longest)] }, pam.success],
  ['too long an answer', askThen(result(pam.success)), { words: [answer(`${longest}x`)] }, pam.authErr],
  ['no response', askThen(result(pam.success)), { words: ['untouched'] }, pam.authErr],
  ['no text in the response', askThen(result(pam.success)), { words: ['null'] }, pam.authErr],
  ['a failed conversation', askThen(result(pam.success)), { words: ['error'] }, pam.authErr],
  [
    'password_and_code',
    askThen(result(pam.success, 6)),
    { ...typed, options: ['password_and_code'] },
    pam.success,
  ],
  [
    'the longest, stripped whole',
    askThen(result(pam.success, 1024)),
    {
      words: [answer(longest)],
      options: ['password_and_code'],
    },
    pam.success,
  ],
  [
    'use_first_pass',
    askThen(result(pam.success)),
    { probe: ['authtok=a'], options: ['use_first_pass'] },
    pam.success,
  ],
  ['use_first_pass without one', askThen(result(pam.success)), { options: ['use_first_pass'] }, pam.authErr],
  [
    'the longest HELLO',
    say(result(pam.success)),
    {
      user: 'u'.repeat(256),
      service: 's'.repeat(64),
      words: [`rhost=${'h'.repeat(256)}`, `env=SSH_AUTH_INFO_0=${'k'.repeat(12_288)}`],
    },
    pam.success,
  ],
  ['a bad option', say(), { options: ['nonsense'] }, pam.serviceErr],
  [
    'two calls on one handle',
    askThen(result(pam.authErr)),
    { words: ['times=2', answer('1'), answer('2')] },
    pam.authErr,
  ],
];

async function every(names: readonly string[], cutBy: number): Promise<void> {
  const place = rig.place();
  const frames = names.map((name) => vectorBytes(name));
  await place.listen(async (peer) => {
    await peer.next();
    const bytes = frames.shift() ?? Buffer.alloc(0);
    peer.send(bytes.subarray(0, bytes.length - cutBy));
    peer.close();
    await peer.end();
  });
  const outcome = await place.login({ words: [`times=${names.length}`] });
  assert.equal(outcome.modules.length, names.length);
  for (const { code } of outcome.modules) assert.notEqual(code, pam.authinfoUnavail);
}

describe('under the sanitizers', { concurrency: 2 }, () => {
  for (const [what, script, login, code] of logins) {
    it(what, async () => {
      const place = rig.place();
      await place.listen(script);
      assert.equal((await place.login(login)).code, code);
    });
  }

  it('no daemon', async () => {
    assert.equal((await rig.place().login()).code, pam.authinfoUnavail);
  });

  it('^C', async () => {
    const place = rig.place();
    await place.listen(say(info('wait'), wait()));
    const login = place.start({ words: ['block'] });
    await login.shown();
    login.child.kill('SIGINT');
    assert.equal((await login.outcome).code, pam.authErr);
  });

  const fromDaemon = (vectors: Readonly<Record<string, { readonly direction: string }>>) =>
    Object.keys(vectors).filter((name) => vectors[name]?.direction === 'daemon-to-module');
  const good = fromDaemon(vectorIndex.frames);

  it('every violation', () =>
    every(
      fromDaemon(vectorIndex.bad).map((name) => `bad/${name}`),
      0,
    ));
  it('every frame of the daemon, then the end of the stream', () =>
    every(
      good.filter((name) => !name.startsWith('result')),
      0,
    ));
  it('every frame of the daemon, cut by a byte', () => every(good, 1));

  const keys: readonly (readonly [what: string, keys: string, heard: string, code: number])[] = [
    ['nothing, until a touch', '', 'withdrawn', pam.success],
    ['half a code, until a touch', '7552', 'withdrawn', pam.success],
    ['a code', '755224\r', 'answer', pam.success],
    ['the longest answer', `${longest}\r`, 'answer', pam.success],
    ['too long an answer', `${longest}x\r`, 'cancel', pam.authErr],
    ['^D', '\x04', 'cancel', pam.authErr],
    ['^C', '7\x03', 'cancel', pam.authErr],
  ];
  for (const [what, typedKeys, heard, code] of keys) {
    it(`at the terminal: ${what}`, async () => {
      const place = rig.place();
      const daemon = await place.listen(async (peer) => {
        await peer.next();
        peer.send(wait(), prompt('Code: ', 'terminal'));
        if (heard !== 'withdrawn') await peer.next();
        else await login.sees(/Code: /);
        peer.send(...(heard === 'withdrawn' ? [withdraw()] : []));
        if (heard === 'withdrawn') await peer.next();
        peer.send(result(pam.success));
        await peer.end();
      });
      const login = new TerminalLogin(place, { words: ['block'] });
      await login.sees(/Code: /);
      if (typedKeys !== '') login.press(typedKeys);
      assert.equal((await login.outcome).code, code);
      assert.deepEqual(
        daemon.peers[0]?.received.map(({ type }) => type),
        ['hello', heard],
      );
    });
  }

  it('a session of many prompts', async () => {
    const place = rig.place();
    await place.listen(async (peer) => {
      await peer.next();
      for (let round = 0; round < 20; round++) {
        peer.send(info('y'.repeat(4096)), prompt('z'.repeat(4096), round % 2 === 0 ? 'shown' : 'hidden'));
        await peer.next();
      }
      peer.send(result(pam.success));
      await peer.end();
    });
    const outcome = await place.login({ words: Array(20).fill(answer(longest)) });
    assert.equal(outcome.code, pam.success);
  });
});
