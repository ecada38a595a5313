import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { error, info, pam, prompt, result, say, wait } from '../support/fake-daemon.ts';
import { answer, ModuleRig } from '../support/module-rig.ts';
import { vectorBytes, vectorIndex } from '../support/vectors.ts';

/**
 * Anything that a daemon sends against docs/reference/protocol.md ends the login with SYSTEM_ERR, and later frames are
 * ignored.
 */
const rig = new ModuleRig();
before(() => rig.build());
after(() => rig.remove());

/** After HELLO the daemon sends this and would then accept the login. */
async function refuses(bytes: Buffer, options: readonly string[] = []): Promise<void> {
  const place = rig.place();
  await place.listen(say(bytes, result(pam.success)));
  const { code } = await place.login({ words: [answer('123456'), answer('123456')], options });
  assert.equal(code, pam.systemErr);
}

describe('a violation', { concurrency: 4 }, () => {
  for (const [name, { direction, reason }] of Object.entries(vectorIndex.bad)) {
    if (direction !== 'daemon-to-module') continue;
    it(`${name}: ${reason}`, () => refuses(vectorBytes(`bad/${name}`)));
  }

  it('rubbish', () => refuses(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')));
  it('HELLO sent back', () => refuses(vectorBytes('hello-minimal.hex')));
  it('every code except the six', async () => {
    const allowed = new Set<number>([0, 4, 6, 7, 11, 25]);
    const codes = Array.from({ length: 40 }, (_, code) => code).filter((code) => !allowed.has(code));
    for (const code of [...codes, 0xffffffff, 0x80000000, 0x01000000]) await refuses(result(code));
  });
  it('is named in the log: an unexpected frame, and a malformed one', async () => {
    for (const [bytes, named] of [
      [vectorBytes('withdraw.hex'), 'WITHDRAW without an open PROMPT'],
      [Buffer.concat([prompt(), prompt()]), 'unexpected frame'],
      [info('\x1b'), 'malformed frame'],
      [Buffer.alloc(4), 'invalid frame length'],
    ] as const) {
      const place = rig.place();
      await place.listen(say(bytes));
      const { code, logs } = await place.login({ words: [answer('123456')] });
      assert.equal(code, pam.systemErr);
      assert.ok(logs.join('\n').includes(`protocol violation: ${named} (login refused)`), named);
    }
  });
  it('a violation after valid frames', () => refuses(Buffer.concat([wait(), info('x'), info('\x1b')])));
  it('strip in mode prompt', () => refuses(Buffer.concat([prompt(), result(pam.success, 1)])));
  it('a strip without an answer', () => refuses(result(pam.success, 1), ['password_and_code']));
});

describe('while a PROMPT is open', { concurrency: 4 }, () => {
  const frames: readonly (readonly [what: string, bytes: Buffer, code: number])[] = [
    ['a second PROMPT', prompt(), pam.systemErr],
    ['INFO', info('x'), pam.systemErr],
    ['ERROR and the end', error('x'), pam.systemErr],
    ['ERROR and INFO', Buffer.concat([error('x'), info('x')]), pam.systemErr],
    ['ERROR and a second PROMPT', Buffer.concat([error('x'), prompt()]), pam.systemErr],
    ['ERROR and SUCCESS', Buffer.concat([error('x'), result(pam.success)]), pam.systemErr],
    ['ERROR and IGNORE', Buffer.concat([error('x'), result(pam.ignore)]), pam.systemErr],
    ['ERROR and a refusal, which holds', Buffer.concat([error('x'), result(pam.authErr)]), pam.authErr],
    ['WAIT', wait(), pam.systemErr],
    ['half a frame and the end', wait().subarray(0, 2), pam.systemErr],
    ['rubbish', Buffer.from('rubbish'), pam.systemErr],
    ['the end', Buffer.alloc(0), pam.systemErr],
    ['SUCCESS for an answer that it has not seen', result(pam.success), pam.systemErr],
    ['IGNORE for an answer that it has not seen', result(pam.ignore), pam.systemErr],
    ['a refusal, which holds', result(pam.authErr), pam.authErr],
    ['locked, which holds', result(pam.maxtries), pam.maxtries],
    ['forbidden, which holds', result(pam.permDenied), pam.permDenied],
  ];
  for (const [what, bytes, code] of frames) {
    it(what, async () => {
      const place = rig.place();
      const daemon = await place.listen(async (peer) => {
        await peer.next();
        peer.send(prompt(), bytes);
        peer.close();
        await peer.end();
      });
      const login = place.start({ words: ['stdin'] });
      await login.shown();
      login.child.stdin?.end('123456\n');
      assert.equal((await login.outcome).code, code);
      const { messages } = await login.outcome;
      const isReported = messages.some(({ text }) => text === 'x');
      assert.equal(isReported, what.startsWith('ERROR'), 'why it ends is said, and nothing else');
      const types = daemon.peers[0]?.received.map(({ type }) => type);
      assert.deepEqual(types, ['hello'], 'no answer goes to a daemon that does not wait for it');
    });
  }
});
