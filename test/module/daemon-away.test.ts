import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { info, pam, prompt, result, type Script, say, wait } from '../support/fake-daemon.ts';
import { answer, ModuleRig, type Outcome } from '../support/module-rig.ts';

/**
 * When no daemon is there, or it disappears. A stack may accept AUTHINFO_UNAVAIL, so each case says exactly when it is
 * returned and when it must not be. Cases run concurrently: most of them only wait.
 */
const rig = new ModuleRig();
before(() => rig.build());
after(() => rig.remove());

const nobody = 65534;

function tookAbout(outcome: Outcome, ms: number): void {
  const took = outcome.module.ms;
  assert.ok(took >= ms - 50 && took < ms + 20_000, `took ${took} ms, expected about ${ms}`);
}

/** A socket file without a listener. */
async function leaveStale(socket: string): Promise<void> {
  const child = spawn(process.execPath, [
    '-e',
    'require("net").createServer().listen(process.argv[1])',
    socket,
  ]);
  while (!(await canConnect(socket))) await new Promise((resolve) => setTimeout(resolve, 10));
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('exit', resolve));
}

function canConnect(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = net.connect(socket, () => {
      connection.destroy();
      resolve(true);
    });
    connection.on('error', () => resolve(false));
  });
}

describe('the daemon is unavailable', { concurrency: true }, () => {
  describe('no listener on the root socket: AUTHINFO_UNAVAIL', () => {
    it('no socket', async () => {
      const outcome = await rig.place().login();
      assert.equal(outcome.code, pam.authinfoUnavail);
      tookAbout(outcome, 0);
      assert.match(outcome.logs.join('\n'), /pam\.sock: no listener; is sallyportd running\?/);
    });

    it('no directory', async () => {
      const place = rig.place();
      const outcome = await place.login({ rawOptions: [`socket=${place.directory}/none/pam.sock`] });
      assert.equal(outcome.code, pam.authinfoUnavail);
    });

    it('a socket left by a dead daemon', async () => {
      const place = rig.place();
      await leaveStale(place.socket);
      assert.equal((await place.login()).code, pam.authinfoUnavail);
    });

    it('a daemon that neither accepts nor sends: after 5 seconds', async () => {
      const place = rig.place();
      await place.misbehave({});
      const outcome = await place.login();
      assert.equal(outcome.code, pam.authinfoUnavail);
      tookAbout(outcome, 5000);
    });

    it('a daemon that takes HELLO and sends nothing: after 5 seconds', async () => {
      const place = rig.place();
      await place.listen(say());
      const outcome = await place.login();
      assert.equal(outcome.code, pam.authinfoUnavail);
      assert.match(outcome.logs.join('\n'), /pam\.sock: no response; is sallyportd running\?/);
      tookAbout(outcome, 5000);
    });

    it('a full backlog: after 5 seconds', async () => {
      const place = rig.place();
      await place.misbehave({ backlog: 0 });
      const filler = net.connect(place.socket);
      await new Promise((resolve) => filler.once('connect', resolve));
      const outcome = await place.login();
      filler.destroy();
      assert.equal(outcome.code, pam.authinfoUnavail);
      assert.match(outcome.logs.join('\n'), /backlog/);
      tookAbout(outcome, 5000);
    });

    it('closed before the first frame', async () => {
      const place = rig.place();
      await place.listen(async (peer) => {
        await peer.next();
        peer.close();
      });
      const outcome = await place.login();
      assert.equal(outcome.code, pam.authinfoUnavail);
      assert.match(outcome.logs.join('\n'), /pam\.sock: connection closed without a response;/);
      tookAbout(outcome, 0);
    });

    it('closed before HELLO was read', async () => {
      const place = rig.place();
      await place.misbehave({ reply: Buffer.alloc(0) });
      assert.equal((await place.login()).code, pam.authinfoUnavail);
      assert.equal((await place.login({ words: ['late-hello=250'] })).code, pam.authinfoUnavail);
    });
  });

  describe('a daemon is there, or was: never AUTHINFO_UNAVAIL', () => {
    /** Sends these bytes on HELLO and closes. */
    const closeAfter =
      (bytes: Buffer): Script =>
      async (peer) => {
        await peer.next();
        peer.send(bytes);
        peer.close();
      };
    const closeAfterAnswer: Script = async (peer) => {
      await peer.next();
      peer.send(prompt());
      await peer.next();
      peer.close();
    };
    const spoke: readonly (readonly [what: string, script: Script, ms: number])[] = [
      ['closed after WAIT', closeAfter(wait()), 0],
      ['closed after half a frame', closeAfter(prompt().subarray(0, 9)), 0],
      ['closed after a byte', closeAfter(wait().subarray(0, 1)), 0],
      ['closed after the answer', closeAfterAnswer, 0],
      ['silent after half a frame', say(prompt().subarray(0, 9)), 5000],
      ['silent after WAIT: 15 seconds', say(wait()), 15_000],
    ];
    for (const [what, script, ms] of spoke) {
      it(what, async () => {
        const place = rig.place();
        await place.listen(script);
        const outcome = await place.login({ words: [answer('123456')] });
        assert.equal(outcome.code, pam.systemErr);
        tookAbout(outcome, ms);
      });
    }

    it('endless WAITs stop at timeout=', async () => {
      const place = rig.place();
      await place.listen(async (peer) => {
        await peer.next();
        const timer = setInterval(() => peer.send(wait()), 100);
        await peer.end();
        clearInterval(timer);
        peer.close();
      });
      const outcome = await place.login({ options: ['timeout=6'] });
      assert.equal(outcome.code, pam.systemErr);
      tookAbout(outcome, 6000);
    });

    it('frames without a pause stop at timeout=', async () => {
      const place = rig.place();
      await place.listen(async (peer) => {
        await peer.next();
        const flood = () => {
          if (!peer.socket.destroyed && peer.socket.write(Buffer.concat(Array(500).fill(wait()))))
            setImmediate(flood);
          else if (!peer.socket.destroyed) peer.socket.once('drain', flood);
        };
        flood();
        await peer.end();
        peer.close();
      });
      const outcome = await place.login({ options: ['timeout=5'] });
      assert.equal(outcome.code, pam.systemErr);
      tookAbout(outcome, 5000);
    });

    it('a byte now and then counts as silence', async () => {
      const place = rig.place();
      await place.listen(async (peer) => {
        await peer.next();
        peer.send(wait());
        const bytes = info('slowly, slowly');
        let at = 0;
        const timer = setInterval(() => peer.send(bytes.subarray(at, ++at)), 900);
        await peer.end();
        clearInterval(timer);
        peer.close();
      });
      const outcome = await place.login({ options: ['timeout=60'] });
      assert.equal(outcome.code, pam.systemErr);
      tookAbout(outcome, 15_000);
    });

    it('a slow daemon that keeps sending WAIT is waited for, longer than a silent one', async () => {
      const place = rig.place();
      await place.listen(async (peer) => {
        await peer.next();
        for (let round = 0; round < 4; round++) {
          peer.send(wait());
          await new Promise((resolve) => setTimeout(resolve, 4000));
        }
        peer.send(result(pam.success));
        peer.close();
      });
      const outcome = await place.login();
      assert.equal(outcome.code, pam.success);
      tookAbout(outcome, 16_000);
    });
  });

  describe('a backlog that empties in time', () => {
    it('is not a failure', async () => {
      const place = rig.place();
      await place.misbehave({ backlog: 0, reply: result(pam.ignore), delay: 3000 });
      const filler = net.connect(place.socket);
      await new Promise((resolve) => filler.once('connect', resolve));
      const outcome = await place.login();
      filler.destroy();
      assert.equal(outcome.code, pam.ignore);
      assert.ok(outcome.module.ms > 100, 'the backlog was full for a while');
    });
  });

  describe('a frame that arrived is honoured before the close', () => {
    it('a RESULT from a daemon that closed without reading HELLO', async () => {
      const place = rig.place();
      await place.misbehave({ reply: result(pam.systemErr) });
      assert.equal((await place.login()).code, pam.systemErr);
      assert.equal((await place.login({ words: ['late-hello=250'] })).code, pam.systemErr);
    });

    it('a RESULT that arrived while the user typed', async () => {
      const place = rig.place();
      await place.listen(async (peer) => {
        await peer.next();
        peer.send(prompt(), result(pam.maxtries));
        peer.close();
      });
      const login = place.start({ words: ['stdin'] });
      await login.shown();
      login.child.stdin?.end('123456\n');
      assert.equal((await login.outcome).code, pam.maxtries);
    });
  });

  describe('unreachable, or owned by another uid: SYSTEM_ERR', () => {
    it('a socket of another uid does not even get HELLO', async () => {
      const place = rig.place();
      const listener = await place.misbehave({ uid: nobody });
      const outcome = await place.login();
      assert.equal(outcome.code, pam.systemErr);
      assert.match(outcome.logs.join('\n'), /belongs to uid 65534/);
      const waiting = new Promise((resolve) =>
        listener.stdout?.once('data', (text) => resolve(String(text))),
      );
      listener.stdin?.write('\n');
      assert.equal(await waiting, '0\n');
    });

    it('server_uid= allows that uid as the daemon', async () => {
      const place = rig.place();
      await place.misbehave({ uid: nobody, reply: result(pam.ignore) });
      assert.equal((await place.login({ options: [`server_uid=${nobody}`] })).code, pam.ignore);
    });

    it('server_uid= of a third uid does not', async () => {
      const place = rig.place();
      await place.misbehave({ uid: nobody, reply: result(pam.ignore) });
      assert.equal((await place.login({ options: ['server_uid=1'] })).code, pam.systemErr);
    });

    it('a path through a file', async () => {
      const place = rig.place();
      writeFileSync(path.join(place.directory, 'file'), '');
      const outcome = await place.login({ rawOptions: [`socket=${place.directory}/file/pam.sock`] });
      assert.equal(outcome.code, pam.systemErr);
    });

    it('a loop of links', async () => {
      const place = rig.place();
      symlinkSync(place.socket, place.socket);
      assert.equal((await place.login()).code, pam.systemErr);
    });
  });

  describe('nothing is AUTHINFO_UNAVAIL on the user socket', () => {
    const asUser = { uid: nobody, user: 'nobody' };

    it('absent, even if the root socket answers', async () => {
      const place = rig.place();
      const daemon = await place.listen(say(result(pam.success)));
      assert.equal((await place.login(asUser)).code, pam.systemErr);
      assert.equal(daemon.peers.length, 0);
    });

    it('silent', async () => {
      const place = rig.place();
      await place.misbehave({ socket: place.userSocket });
      assert.equal((await place.login(asUser)).code, pam.systemErr);
    });

    it('closed before the first frame', async () => {
      const place = rig.place();
      await place.misbehave({ socket: place.userSocket, reply: Buffer.alloc(0) });
      assert.equal((await place.login(asUser)).code, pam.systemErr);
    });

    it('a daemon of root answers', async () => {
      const place = rig.place();
      await place.listen(say(result(pam.success)), place.userSocket);
      assert.equal((await place.login(asUser)).code, pam.success);
    });
  });
});
