import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { frame } from '../support/fake-daemon.ts';
import { scratch } from '../support/fido-rig.ts';
import {
  askFrame,
  askingModule,
  compileHelper,
  confdir,
  lookFrame,
  parts,
  RawPasswordHelper,
} from '../support/password-rig.ts';
import { until } from '../support/until.ts';

/** Requests as the helper reads them, under the sanitizers, with a stack that accepts every password. */
const directory = scratch('password-request');
let program = '';
let args: readonly string[] = [];

before(async () => {
  program = await compileHelper('asan');
  const module = await askingModule();
  const stack = confdir(path.join(directory.path, 'pam.d'), [
    `auth required ${module}`,
    `account required ${module}`,
  ]);
  args = ['--confdir', stack];
});
after(() => directory.remove());

const helper = () => new RawPasswordHelper(program, args);

async function taken(bytes: Buffer, verdict = 'right'): Promise<void> {
  const { code, signal, stderr, ...asked } = await helper().send(bytes).ended;
  assert.deepEqual([asked.verdict, code, signal, stderr], [verdict, 0, null, '']);
}

/** The stream does not end before the refusal: the error is found without it. */
async function refused(bytes: Buffer): Promise<void> {
  const { code, signal, stderr, stdout } = await helper().send(bytes).ended;
  assert.deepEqual([code, signal, stderr, stdout.length], [1, null, '', 0]);
}

const body = (length: number) => {
  const bytes = Buffer.alloc(4 + Math.min(length, 20_000), 0x71);
  bytes.writeUInt32BE(length);
  return bytes;
};
const text = (length: number) => 'x'.repeat(length);

const good: Readonly<Record<string, Buffer>> = {
  'as usual': askFrame(),
  'without a source': askFrame({ source: undefined }),
  'with an empty source': askFrame({ source: parts.source('') }),
  'with the longest of everything': askFrame({
    user: parts.user(text(256)),
    source: parts.source(text(256)),
    password: parts.password(text(1024)),
  }),
  'with the shortest of everything': askFrame({ user: parts.user('u'), password: parts.password('p') }),
  'with the shortest deadline': askFrame({ deadline: parts.deadline(100) }),
  'with the longest deadline': askFrame({ deadline: parts.deadline(30_000) }),
  'in another order': frame(
    0x71,
    ...Object.values(parts)
      .map((build) => build())
      .reverse(),
  ),
  'with names and passwords that are no UTF-8': askFrame({
    user: parts.user(Buffer.from([0xff, 0xc3])),
    password: parts.password(Buffer.from([0xfe, 0x01, 0x7f])),
  }),
  'with something behind it, which is no business of the helper': Buffer.concat(
    [askFrame(), text(100)].map(Buffer.from),
  ),
};

const bad: Readonly<Record<string, Buffer>> = {
  'no length': body(0),
  'a frame that is too long': body(16_385),
  'a frame of 4 GiB': body(0xffff_ffff),
  'the longest frame, of nothing but its type': body(16_384),
  'a type alone': frame(0x71),
  'the other question, with a password': lookFrame('alice', parts.password()),
  'the other question, with a source': lookFrame('alice', parts.source()),
  'the other question, without a user': frame(0x72, parts.version(), parts.deadline()),
  'the other question, alone': frame(0x72),
  'another type': frame(0x73, ...Object.values(parts).map((build) => build())),
  'a verdict': frame(0x81),
  'another version': askFrame({ version: parts.version(2) }),
  'version 0': askFrame({ version: parts.version(0) }),
  'a version of no size': askFrame({ version: Buffer.from([1, 0, 0]) }),
  'no version': askFrame({ version: undefined }),
  'no deadline': askFrame({ deadline: undefined }),
  'a deadline that is too short': askFrame({ deadline: parts.deadline(99) }),
  'a deadline that is too long': askFrame({ deadline: parts.deadline(30_001) }),
  'a deadline of three bytes': askFrame({ deadline: Buffer.from([2, 0, 3, 0, 1, 0]) }),
  'no user': askFrame({ user: undefined }),
  'an empty user': askFrame({ user: parts.user('') }),
  'a user that is too long': askFrame({ user: parts.user(text(257)) }),
  'a NUL in a user': askFrame({ user: parts.user('root\0x') }),
  'a newline in a user': askFrame({ user: parts.user('root\nx') }),
  'a DEL in a user': askFrame({ user: parts.user('root\x7f') }),
  'a source that is too long': askFrame({ source: parts.source(text(257)) }),
  'a NUL in a source': askFrame({ source: parts.source('a\0b') }),
  'a newline in a source': askFrame({ source: parts.source('a\nb') }),
  'no password': askFrame({ password: undefined }),
  'a password that is too long': askFrame({ password: parts.password(text(1025)) }),
  'a password twice': askFrame({ extra: parts.password() }),
  'a user twice': askFrame({ extra: parts.user('root') }),
  'a source twice': askFrame({ extra: parts.source() }),
  'a version twice': askFrame({ extra: parts.version() }),
  'an unknown field': askFrame({ extra: Buffer.from([0x07, 0, 0]) }),
  'a field of the answer': askFrame({ extra: Buffer.from([0x06, 0, 1, 1]) }),
  'a field that is cut off in its head': askFrame({ extra: Buffer.from([0x04, 0]) }),
  'a field that runs past the frame': askFrame({ source: Buffer.from([0x04, 0xff, 0xff]) }),
};

describe('a valid request is accepted', { concurrency: 4 }, () => {
  for (const [what, bytes] of Object.entries(good)) it(what, () => taken(bytes));

  it('that asks whether there is a password', () => taken(lookFrame('nobody-here'), 'set'));

  it('in pieces', async () => {
    const asked = helper();
    for (const byte of askFrame()) asked.send(Buffer.from([byte]));
    assert.equal((await asked.ended).verdict, 'right');
  });
});

describe('an invalid request is refused without a verdict', { concurrency: 4 }, () => {
  for (const [what, bytes] of Object.entries(bad)) it(what, () => refused(bytes));

  for (const length of [0, 1, 3, 4, 5, 20, askFrame().length - 1])
    it(`cut off after ${length} bytes`, async () => {
      const { code, stdout } = await helper().send(askFrame().subarray(0, length)).end().ended;
      assert.deepEqual([code, stdout.length], [1, 0]);
    });

  it('if it does not arrive', async () => {
    const asked = helper().send(askFrame().subarray(0, 20));
    const began = Date.now();
    const alarm = await asked.ended;
    assert.deepEqual([alarm.signal, alarm.stdout.length], ['SIGALRM', 0]);
    assert.ok(Date.now() - began > 4_000);
  });
});

describe('a password that no account can have is wrong, and PAM is not called', { concurrency: 4 }, () => {
  const impossible = {
    'an empty one': '',
    'one with a NUL': 'correct\0horse',
    'one that begins with NUL': '\0',
  };
  for (const [what, password] of Object.entries(impossible))
    it(what, () => taken(askFrame({ password: parts.password(password) }), 'wrong'));
});

describe('the command line', { concurrency: 4 }, () => {
  const lines: Readonly<Record<string, readonly string[]>> = {
    'an option that is unknown': ['--service', 'sshd'],
    'an argument': ['sshd'],
    'a directory without a name': ['--confdir'],
    'a directory that is not absolute': ['--confdir', 'pam.d'],
    'two directories': ['--confdir', '/a', '--confdir', '/b'],
  };
  for (const [what, line] of Object.entries(lines))
    it(`is refused: ${what}`, async () => {
      const { code, stdout, stderr } = await new RawPasswordHelper(program, line).send(askFrame()).ended;
      assert.deepEqual([code, stdout.length, stderr], [1, 0, '']);
    });

  it('ends at once when the client has disconnected', async () => {
    const asked = helper();
    asked.child.stdout?.destroy();
    asked.send(askFrame());
    await until(() => asked.child.exitCode !== null || asked.child.signalCode !== null, 60_000);
    assert.equal(asked.child.signalCode, null);
  });
});
