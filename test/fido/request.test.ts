import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { field, frame } from '../support/fake-daemon.ts';
import {
  assertFrame,
  compileSoftHelper,
  killHelpers,
  list,
  makeFrame,
  number,
  parts,
  pinFrame,
  RawHelper,
  scratch,
} from '../support/fido-rig.ts';
import { until } from '../support/until.ts';

/** What the helper reads, under the sanitizers. */
const directory = scratch('fido-request');
let program = '';
/** A key that counts its users. */
const device = path.join(directory.path, 'key');
let visits = 0;
const key = createServer((socket) => {
  visits += 1;
  socket.on('error', () => undefined);
});

before(async () => {
  program = await compileSoftHelper('asan');
  await new Promise<void>((resolve) => key.listen(device, resolve));
});
after(() => {
  killHelpers();
  key.close();
  directory.remove();
});

const ids = (count: number, length = 64) =>
  Array.from({ length: count }, (_, index) => parts.id(length, index));
const groups = (count: number) =>
  Array.from({ length: count }, (_, index) => [parts.rpId(`${index}.example.org`), parts.id()]).flat();

/** Without anything after it, and long before the helper would stop waiting: it refuses what it read. */
async function refused(bytes: Buffer): Promise<void> {
  visits = 0;
  const helper = new RawHelper(program, { SALLYPORT_FIDO_DEVICES: device }).send(bytes);
  await until(() => helper.isOver, 60_000);
  const { code, signal } = await helper.ended;
  assert.deepEqual([code, signal, helper.errors], [1, null, '']);
  assert.deepEqual(helper.frames, []);
  assert.equal(visits, 0, 'a device was touched');
}

async function taken(bytes: Buffer): Promise<void> {
  const helper = new RawHelper(program).send(bytes).end();
  const { code, signal } = await helper.ended;
  assert.deepEqual([code, signal, helper.errors], [0, null, '']);
  const last = helper.frames.at(-1);
  if (bytes[4] === 0x41) assert.deepEqual(last, { type: 'listed', keys: [] });
  else assert.equal(last?.type === 'failed' && last.reason, 'cancelled');
}

const good: Readonly<Record<string, Buffer>> = {
  LIST: list(),
  MAKE: makeFrame(),
  ASSERT: assertFrame(),
  'the shortest deadline': makeFrame({ deadline: parts.deadline(100) }),
  'the longest deadline': makeFrame({ deadline: parts.deadline(600_000) }),
  'each verification': makeFrame({ verification: parts.verification(2) }),
  'the longest rp id': makeFrame({ rpId: parts.rpId('a'.repeat(255)) }),
  'an rp id as pam_u2f has it': assertFrame({ rpId: parts.rpId('pam://host') }),
  'the shortest rp id': assertFrame({ rpId: parts.rpId('a') }),
  'the longest rp name': makeFrame({ rpName: parts.rpName('n'.repeat(64)) }),
  'no rp name': makeFrame({ rpName: parts.rpName('') }),
  'the longest user id': makeFrame({ userId: parts.userId(64) }),
  'the shortest user id': makeFrame({ userId: parts.userId(1) }),
  'the longest user name': makeFrame({ userName: parts.userName('u'.repeat(256)) }),
  'a user name in UTF-8': makeFrame({ userName: parts.userName('Зоя 🔑') }),
  'all algorithms': makeFrame({ algorithm: [2, 1, 3].map(parts.algorithm) }),
  'the longest id': assertFrame({ id: parts.id(1023) }),
  'the shortest id': assertFrame({ id: parts.id(1) }),
  'the most ids': assertFrame({ id: ids(64) }),
  'the most ids to exclude': makeFrame({ id: ids(64) }),
  'the most groups': assertFrame({ id: undefined, rpId: groups(16) }),
  'a resident one': makeFrame({ resident: parts.resident(1) }),
};

const body = (length: number) => {
  const whole = Buffer.alloc(4 + length, 0x41);
  whole.writeUInt32BE(length);
  return whole;
};

/** A field whose length exceeds its content. */
const overrun = (tag: number) => Buffer.from([tag, 0x00, 0x09, 1]);

const bad: Readonly<Record<string, Buffer>> = {
  'an empty frame': body(0),
  'a frame that is too long': body(16_385),
  'a length far beyond': Buffer.from([0xff, 0xff, 0xff, 0xff]),
  'the longest frame, of rubbish': body(16_384),
  'no request': frame(0x40, parts.version(), parts.deadline()),
  'a type that the helper sends': frame(0x61),
  'a PIN first': pinFrame('123456'),
  'another version': list(parts.version(2), parts.deadline()),
  'no version': list(parts.deadline()),
  'no deadline': list(parts.version()),
  'a version twice': list(parts.version(), parts.version(), parts.deadline()),
  'a deadline of two bytes': list(parts.version(), field(0x02, Buffer.alloc(2, 1))),
  'a deadline that is too short': list(parts.version(), parts.deadline(99)),
  'a deadline that is too long': list(parts.version(), parts.deadline(600_001)),
  'a field of MAKE in LIST': list(parts.version(), parts.deadline(), parts.rpId()),
  'a field of MAKE in ASSERT': assertFrame({ extra: parts.resident() }),
  'an unknown tag': makeFrame({ extra: field(0x7f, 'x') }),
  'a field header that is cut off': list(parts.version(), parts.deadline(), Buffer.from([0x03, 0x00])),
  'a field past its frame': list(parts.version(), parts.deadline(), overrun(0x03)),
  'a hash of 31 bytes': assertFrame({ hash: parts.hash(31) }),
  'a hash of 33 bytes': assertFrame({ hash: parts.hash(33) }),
  'no hash': makeFrame({ hash: undefined }),
  'no such verification': makeFrame({ verification: parts.verification(3) }),
  'a verification of two bytes': makeFrame({ verification: field(0x04, Buffer.alloc(2)) }),
  'no verification': assertFrame({ verification: undefined }),
  'no rp id': assertFrame({ rpId: undefined, id: undefined }),
  'an empty rp id': makeFrame({ rpId: parts.rpId('') }),
  'an rp id that is too long': makeFrame({ rpId: parts.rpId('a'.repeat(256)) }),
  'a NUL in an rp id': makeFrame({ rpId: parts.rpId('a\0b') }),
  'an rp id that is no UTF-8': makeFrame({ rpId: parts.rpId(Buffer.from([0x61, 0xc3])) }),
  'UTF-8 that is longer than it need be': makeFrame({ userName: parts.userName(Buffer.from([0xc1, 0x81])) }),
  'a surrogate': makeFrame({ userName: parts.userName(Buffer.from([0xed, 0xa0, 0x80])) }),
  'a newline in a user name': makeFrame({ userName: parts.userName('a\nb') }),
  'a C1 control in an rp name': makeFrame({ rpName: parts.rpName('a\u009bb') }),
  'two rp ids in MAKE': makeFrame({ rpId: [parts.rpId(), parts.rpId('b.org')] }),
  'an rp name that is too long': makeFrame({ rpName: parts.rpName('n'.repeat(65)) }),
  'no user id': makeFrame({ userId: undefined }),
  'an empty user id': makeFrame({ userId: parts.userId(0) }),
  'a user id that is too long': makeFrame({ userId: parts.userId(65) }),
  'an empty user name': makeFrame({ userName: parts.userName('') }),
  'a user name that is too long': makeFrame({ userName: parts.userName('u'.repeat(257)) }),
  'no algorithm': makeFrame({ algorithm: undefined }),
  'algorithm 0': makeFrame({ algorithm: parts.algorithm(0) }),
  'algorithm 4': makeFrame({ algorithm: parts.algorithm(4) }),
  'an algorithm twice': makeFrame({ algorithm: [1, 1].map(parts.algorithm) }),
  'an empty id': assertFrame({ id: parts.id(0) }),
  'an id that is too long': assertFrame({ id: parts.id(1024) }),
  'too many ids': assertFrame({ id: ids(65) }),
  'too many ids to exclude': makeFrame({ id: ids(65) }),
  'too many groups': assertFrame({ id: undefined, rpId: groups(17) }),
  'an id before its rp id': assertFrame({ rpId: undefined, id: [parts.id(), parts.rpId(), parts.id()] }),
  'a group without ids at the end': assertFrame({ extra: parts.rpId('b.org') }),
  'a group without ids before another': assertFrame({ rpId: [parts.rpId('b.org'), parts.rpId()] }),
  'no ids': assertFrame({ id: undefined }),
  'resident 2': makeFrame({ resident: parts.resident(2) }),
  'no word on resident': makeFrame({ resident: undefined }),
};

describe('a request', { concurrency: 4 }, () => {
  for (const [what, bytes] of Object.entries(good)) it(`is accepted: ${what}`, () => taken(bytes));

  it('is accepted in pieces', async () => {
    const helper = new RawHelper(program);
    for (const byte of makeFrame()) helper.send(Buffer.from([byte]));
    await helper.said('keys');
    assert.equal((await helper.end().ended).code, 0);
  });
});

describe('a request is refused, and no device accessed', () => {
  for (const [what, bytes] of Object.entries(bad)) it(what, () => refused(bytes));

  it('cut off anywhere', async () => {
    const whole = assertFrame();
    for (const length of [0, 1, 3, 4, 5, 20, whole.length - 1]) {
      const helper = new RawHelper(program, { SALLYPORT_FIDO_DEVICES: device });
      assert.equal((await helper.send(whole.subarray(0, length)).end().ended).code, 1, `${length} bytes`);
    }
    assert.equal(visits, 0);
  });
});

describe('during a call', { concurrency: 4 }, () => {
  const wrong: Readonly<Record<string, Buffer>> = {
    'a PIN that nobody asked for': pinFrame('123456'),
    'another request': assertFrame(),
    'an empty frame': body(0),
    'a frame that is too long': body(16_385),
    'a PIN without its number': frame(0x44, field(0x20, '123456')),
    'a PIN that is too long': frame(0x44, field(0x21, number(1)), field(0x20, 'x'.repeat(256))),
  };
  for (const [what, bytes] of Object.entries(wrong)) {
    it(`ends it: ${what}`, async () => {
      const helper = new RawHelper(program).send(assertFrame());
      await helper.said('keys');
      assert.deepEqual(await helper.send(bytes).ended, { code: 1, signal: null });
      assert.deepEqual(helper.frames, [{ type: 'keys', count: 0 }]);
      assert.equal(helper.errors, '');
    });
  }
});
