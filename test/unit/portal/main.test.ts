import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect, createServer as createTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { readPortalSetting } from '../../../daemon/client/config.ts';
import { ask } from '../../support/portal-rig.ts';
import { projectRoot } from '../../support/project.ts';
import { until } from '../../support/until.ts';

const main = join(projectRoot, 'dist/portal/main.js');
let directory: string;
let daemon: Server;
/** Requests over the control socket. */
const requests: { readonly line: string; readonly token: string | undefined; readonly body: string }[] = [];

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-portal-'));
  mkdirSync(join(directory, 'run'));
  daemon = createServer((request, response) => {
    void text(request).then((body) => {
      requests.push({ line: `${request.method} ${request.url}`, token: request.headers.authorization, body });
      const done = {
        kind: 'done',
        person: { account: 'alice', uid: 1, admin: false },
        token: { token: 'tk', changesUntil: 1, readsUntil: Date.now() + 1e9 },
      };
      response.end(JSON.stringify({ id: 's', step: done }));
    });
  });
  await new Promise<void>((resolve) => daemon.listen(join(directory, 'run/control.sock'), resolve));
});
const reportLine = 'POST /v1/portal/settings';
const isNoReport = ({ line }: { readonly line: string }) => line !== reportLine;
after(() => {
  daemon.close();
  rmSync(directory, { recursive: true });
});

function config(name: string, portal: string): string {
  const file = join(directory, name);
  writeFileSync(
    file,
    `[paths]\ncontrol_socket = "${directory}/run/control.sock"\n[webauthn]\nrp_id = "localhost"\n${portal}\n[[realm]]\nname = "d"\nrequire = "none"\n`,
  );
  return file;
}

function run(...parameters: string[]): Promise<{ status: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...parameters], { timeout: 10_000 }, (error, out, err) =>
      resolve({ status: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

async function freePort(): Promise<number> {
  const server = createTcp();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

const hasActivate = spawnSync('systemd-socket-activate', ['--version']).error === undefined;
const activate = { skip: hasActivate ? false : 'systemd-socket-activate is not here' };

describe('sallyport-portal', () => {
  it('prints its usage and version', async () => {
    assert.match((await run('--help')).out, /^usage: sallyport-portal/);
    assert.match((await run('--version')).out, /^sallyport-portal \d/);
    const wrong = await run('--nonsense');
    assert.deepEqual([wrong.status, /usage:/.test(wrong.err)], [2, true]);
  });

  it('exits with 78 when its configuration is invalid, absent or without a portal, and names the line', async () => {
    const bad = await run('--config', config('bad.toml', '[portal]\norigins = ["http://example.org"]'));
    assert.equal(bad.status, 78);
    assert.match(bad.err, /bad\.toml:6: portal\.origins: /);
    const none = await run('--config', config('none.toml', ''));
    assert.deepEqual([none.status, /no \[portal\]/.test(none.err)], [78, true]);
    assert.equal((await run('--config', join(directory, 'absent'))).status, 78);
  });

  it('exits with 1 when it cannot listen, and names the file of a bad certificate', async () => {
    const port = await freePort();
    const holder = createTcp();
    await new Promise<void>((resolve) => holder.listen(port, '127.0.0.1', resolve));
    const local = `[portal]\norigins = ["http://localhost:${port}"]\nlisten = "127.0.0.1:${port}"`;
    const taken = await run('--config', config('taken.toml', local));
    await new Promise((resolve) => holder.close(resolve));
    assert.deepEqual([taken.status, /EADDRINUSE/.test(taken.err)], [1, true]);
    const pair = `cert_file = "${directory}/absent.crt"\nkey_file = "${directory}/absent.key"`;
    const tls = await run(
      '--config',
      config('tls.toml', `[portal]\norigins = ["https://localhost"]\n${pair}`),
    );
    assert.deepEqual([tls.status, /absent\.crt/.test(tls.err)], [1, true]);
  });

  it('serves, sends requests to the daemon over its socket, and ends in order, with its sessions at the daemon', async () => {
    const port = await freePort();
    const host = `localhost:${port}`;
    const file = config('good.toml', `[portal]\norigins = ["http://${host}"]\nlisten = "127.0.0.1:${port}"`);
    const child = spawn(process.execPath, [main, '--config', file], { stdio: ['ignore', 'ignore', 'pipe'] });
    const log = await ready(child);
    const answer = await ask({ port }, 'POST /api/sign-in', {
      headers: { host, origin: `http://${host}` },
      body: { by: 'password', user: 'alice', password: 'p' },
    });
    assert.equal(answer.status, 200);
    assert.match(String(answer.headers['set-cookie']), /^sallyport=/);
    assert.ok(!answer.text.includes('tk'));
    const ended = new Promise((resolve) => child.once('exit', (status) => resolve(status)));
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
    const read = await readPortalSetting(file);
    assert.ok(read.ok);
    const { digest } = read.setting;
    assert.ok(requests.some(({ line, body }) => line === reportLine && body === JSON.stringify({ digest })));
    assert.deepEqual(requests.filter(isNoReport), [
      {
        line: 'POST /v1/sign-ins',
        token: undefined,
        body: '{"by":"password","user":"alice","password":"p","source":"127.0.0.1"}',
      },
      { line: 'DELETE /v1/tokens', token: 'Bearer tk', body: '' },
    ]);
    assert.ok(!log().includes('"tk"'));
  });

  it('uses the socket that systemd opened instead of its own', activate, async () => {
    const port = await freePort();
    const host = `localhost:${port}`;
    // It has no permission to listen on its own address.
    const file = config('passed.toml', `[portal]\norigins = ["http://${host}"]\nlisten = "127.0.0.1:1"`);
    const words = ['-l', `127.0.0.1:${port}`, process.execPath, main, '--config', file];
    const child = spawn('systemd-socket-activate', words, { stdio: ['ignore', 'ignore', 'pipe'] });
    // It starts nothing before a client connects, and clients wait.
    await until(() => listens(port), 60_000);
    const answer = await ask({ port }, 'GET /healthz', { headers: { host } });
    assert.deepEqual([answer.status, answer.text], [200, 'ok\n']);
    const ended = new Promise((resolve) => child.once('exit', (status) => resolve(status)));
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
  });
});

/** @returns what it has logged so far */
async function ready(child: ChildProcess): Promise<() => string> {
  let log = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      log += String(chunk);
      if (log.includes('"ready"')) resolve();
    });
    child.once('exit', () => reject(new Error(`it ended: ${log}`)));
  });
  return () => log;
}
