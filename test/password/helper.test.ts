import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { PasswordQuestion } from '../../daemon/host/contract.ts';
import { createPasswordHelper, type PasswordHelperOptions } from '../../daemon/host/password-helper.ts';
import { createLog } from '../../daemon/lib/log.ts';
import { limits } from '../../daemon/limits.ts';
import { field, frame } from '../support/fake-daemon.ts';
import { number, scratch } from '../support/fido-rig.ts';
import { askFrame, askingModule, confdir, parts, shippedPasswordHelper } from '../support/password-rig.ts';
import { until } from '../support/until.ts';

/** The daemon's side of the helper: against the program itself, and against other servers. */
const directory = scratch('password-helper');
const servers: Server[] = [];
const connections: Socket[] = [];
const lines: string[] = [];
const log = createLog((line) => lines.push(line), false);
const typed = 'correct-horse-battery';
let program = '';
let module = '';

before(async () => {
  program = await shippedPasswordHelper();
  module = await askingModule();
});
after(() => {
  for (const server of servers) server.close();
  for (const connection of connections) connection.destroy();
  directory.remove();
});

function question(changes: Partial<PasswordQuestion> = {}): PasswordQuestion {
  return { user: 'alice', password: Buffer.from(typed), source: '192.0.2.7', ...changes };
}
const verdictFrame = (code: number) => frame(0x81, field(0x06, number(code)));
const helperAt = (where: PasswordHelperOptions['where'], patience?: number) =>
  createPasswordHelper({ where, log, ...(patience === undefined ? {} : { patience }) });

let stacks = 0;
function stackOf(options: string): { readonly program: string; readonly confdir: string } {
  stacks += 1;
  const lines = ['auth', 'account'].map((part) => `${part} required ${module} ${options}`);
  return { program, confdir: confdir(path.join(directory.path, `stack-${stacks}`), lines) };
}

/** A server instead of the service manager. */
async function fake(
  talk: (socket: Socket, heard: () => Buffer) => void,
): Promise<{ readonly socket: string }> {
  const socket = path.join(directory.path, `fake-${servers.length}`);
  const server = createServer((connection) => {
    const pieces: Buffer[] = [];
    connections.push(connection);
    connection.on('error', () => undefined);
    connection.on('data', (piece: Buffer) => pieces.push(piece));
    talk(connection, () => Buffer.concat(pieces));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return { socket };
}
const isWiped = (bytes: Buffer) => bytes.every((byte) => byte === 0);

describe('a verification', { concurrency: 4 }, () => {
  it('returns the verdict of the program', async () => {
    const options = {
      right: `password=${typed}`,
      wrong: 'password=other',
      expired: 'account=12',
      failed: 'auth=4',
    };
    for (const [verdict, line] of Object.entries(options))
      assert.equal(await helperAt(stackOf(line)).check(question()), verdict);
  });

  it('returns the verdict that arrives over a socket, also in pieces', async () => {
    for (const [code, verdict] of [
      [1, 'right'],
      [2, 'wrong'],
      [3, 'expired'],
      [4, 'failed'],
    ] as const) {
      const where = await fake((socket) => {
        for (const byte of verdictFrame(code)) socket.write(Buffer.from([byte]));
      });
      assert.equal(await helperAt(where).check(question()), verdict);
    }
  });

  it('sends one frame, as the protocol says, and wipes the password before it waits', async () => {
    const heard: Buffer[] = [];
    const where = await fake((socket, all) => {
      const length = askFrame({ password: parts.password(typed) }).length;
      socket.on('data', () => {
        if (all().length < length) return;
        heard.push(all());
        socket.end(verdictFrame(1));
      });
    });
    const asked = question();
    const verdict = helperAt(where).check(asked);
    assert.ok(isWiped(asked.password));
    assert.equal(await verdict, 'right');
    const { version, deadline, user, source, password } = parts;
    const fields = [version(), deadline(limits.passwordWait), user(), source(), password(typed)];
    assert.deepEqual(heard, [frame(0x71, ...fields)]);
  });

  it('omits a source that the helper would not accept', async () => {
    for (const source of ['x'.repeat(257), 'a\nb', 'a\0b', ''])
      assert.equal(await helperAt(stackOf(`password=${typed}`)).check(question({ source })), 'right');
    const { source: _, ...without } = question();
    assert.equal(await helperAt(stackOf(`password=${typed}`)).check(without), 'right');
  });

  it('does not connect for a name or a password that no account can have', async () => {
    const where = await fake(() => assert.fail('somebody was asked'));
    for (const changes of [
      { user: '' },
      { user: 'x'.repeat(257) },
      { user: 'ü'.repeat(129) },
      { user: 'a\nb' },
      { user: 'a\0b' },
      { password: Buffer.alloc(0) },
      { password: Buffer.alloc(1_025, 97) },
    ]) {
      const asked = question(changes);
      assert.equal(await helperAt(where).check(asked), 'wrong');
      assert.ok(isWiped(asked.password));
    }
    const longest = question({ user: 'x'.repeat(256), password: Buffer.alloc(1_024, 97) });
    assert.equal(await helperAt(stackOf('')).check(longest), 'right');
  });
});

describe('a failed verification is logged', { concurrency: 4 }, () => {
  const wrong: Readonly<Record<string, Buffer>> = {
    'nothing at all': Buffer.alloc(0),
    'a verdict that is cut off': verdictFrame(1).subarray(0, 8),
    'code 0': verdictFrame(0),
    'code 5': verdictFrame(5),
    'two verdicts': Buffer.concat([verdictFrame(1), verdictFrame(1)]),
    'a verdict and a byte': Buffer.concat([verdictFrame(1), Buffer.from([0])]),
    'another type': frame(0x82, field(0x06, number(1))),
    'another field': frame(0x81, field(0x07, number(1))),
    'a code of four bytes': frame(0x81, field(0x06, number(1, 4))),
    'a field twice': frame(0x81, field(0x06, number(1)), field(0x06, number(1))),
    'a frame of 4 GiB': Buffer.from([255, 255, 255, 255]),
    'a megabyte': Buffer.alloc(1_048_576),
    'what was asked': askFrame(),
  };
  for (const [what, bytes] of Object.entries(wrong))
    it(`it receives ${what}`, async () => {
      const where = await fake((socket) => socket.end(bytes));
      assert.equal(await helperAt(where).check(question()), 'failed');
    });

  it('no helper listens', async () => {
    for (const where of [
      { socket: path.join(directory.path, 'none') },
      { program: path.join(directory.path, 'none') },
    ])
      assert.equal(await helperAt(where).check(question()), 'failed');
  });

  it('the program is not a helper', async () => {
    for (const other of ['/bin/true', '/bin/false', '/bin/cat', '/usr/bin/yes', directory.path])
      assert.equal(await helperAt({ program: other }).check(question()), 'failed', other);
  });

  it('the program is given a directory that does not exist', async () => {
    assert.equal(await helperAt({ program, confdir: '/nowhere' }).check(question()), 'failed');
  });

  it('it takes too long over a socket, which is closed', async () => {
    let closed = false;
    const where = await fake((socket) => socket.on('close', () => (closed = true)));
    assert.equal(await helperAt(where, 300).check(question()), 'failed');
    await until(() => closed, 60_000);
  });

  it('it takes too long as a program, which is ended', async () => {
    const mark = path.join(directory.path, 'deaf.pid');
    const deaf = path.join(directory.path, 'deaf');
    writeFileSync(deaf, `#!/bin/sh\necho $$ >${mark}\nexec /bin/sleep 600\n`);
    chmodSync(deaf, 0o755);
    assert.equal(await helperAt({ program: deaf }, 700).check(question()), 'failed');
    const pid = Number(readFileSync(mark, 'utf8'));
    await until(() => !readdirSync('/proc').includes(`${pid}`), 60_000);
  });

  it('the stack hangs', async () => {
    assert.equal(await helperAt(stackOf('hang'), 300).check(question()), 'failed');
  });

  it('another uid listens on the socket: no byte is sent', async () => {
    let heard = 0;
    const where = await fake((socket) => socket.on('data', (bytes: Buffer) => (heard += bytes.length)));
    const listener = await listenAs(65_534, path.join(directory.path, 'stranger'));
    const before = lines.length;
    try {
      assert.equal(await helperAt({ socket: listener.socket }, 2_000).check(question()), 'failed');
      assert.ok(lines.slice(before).some((line) => line.includes('uid 65534 listens there')));
      assert.equal(await listener.heard(), 0);
    } finally {
      listener.end();
    }
    assert.equal(await helperAt(where, 300).check(question()), 'failed');
    assert.ok(heard > typed.length);
  });

  it('with a line that contains nothing of what was typed', () => {
    assert.ok(lines.length > 10);
    for (const line of lines) assert.match(line, /^\{"level":"warning","event":"password-helper-failed"/);
    assert.ok(!lines.join().includes(typed));
  });
});

/** A server in a process of another uid. */
async function listenAs(uid: number, socket: string) {
  chmodSync(directory.path, 0o777);
  const text = `let heard = 0;
    require('node:net').createServer((c) => { c.on('error', () => 0);
      c.on('data', (b) => { heard += b.length; });
      c.on('close', () => { process.stdout.write(String(heard)); process.exit(0); });
    }).listen(process.argv[1], () => process.stdout.write('listens '));`;
  const child = spawn(process.execPath, ['-e', text, socket], {
    uid,
    gid: uid,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (piece: Buffer) => (said += piece.toString()));
  const ended = new Promise((resolve) => child.on('close', resolve));
  // The file exists before clients can connect.
  await until(() => said.startsWith('listens '), 60_000);
  return {
    socket,
    heard: async () => {
      await ended;
      return Number(said.slice('listens '.length));
    },
    end: () => child.kill('SIGKILL'),
  };
}

describe('concurrent verifications', () => {
  it('are eight; the ninth is rejected at once, and its slot is freed', async () => {
    const waiting: Socket[] = [];
    const where = await fake((socket) => waiting.push(socket));
    const helper = helperAt(where);
    const eight = Array.from({ length: limits.passwordChecks }, () => helper.check(question()));
    await until(() => waiting.length === 8, 60_000);
    const ninth = question();
    assert.equal(await helper.check(ninth), 'busy');
    assert.ok(isWiped(ninth.password));
    assert.equal(waiting.length, 8);
    waiting[0]?.end(verdictFrame(1));
    assert.equal(await eight[0], 'right');
    const tenth = helper.check(question());
    await until(() => waiting.length === 9, 60_000);
    for (const socket of waiting.slice(1)) socket.end(verdictFrame(2));
    assert.deepEqual(
      await Promise.all([...eight.slice(1), tenth]),
      Array.from({ length: 8 }, () => 'wrong'),
    );
  });

  it('free their slots when they fail', async () => {
    const helper = helperAt({ program: path.join(directory.path, 'none') });
    for (let round = 0; round < 3; round++) {
      const all = await Promise.all(Array.from({ length: 9 }, () => helper.check(question())));
      assert.deepEqual(all.sort(), ['busy', ...Array.from({ length: 8 }, () => 'failed')]);
    }
  });

  it('run side by side as programs', async () => {
    const helper = helperAt(stackOf(`password=${typed}`));
    const all = await Promise.all(Array.from({ length: 8 }, () => helper.check(question())));
    assert.deepEqual(
      all,
      Array.from({ length: 8 }, () => 'right'),
    );
  });
});
