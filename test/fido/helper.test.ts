import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import type { FidoEvent, FidoHelper } from '../../daemon/host/contract.ts';
import { createFidoHelper } from '../../daemon/host/fido-helper.ts';
import { createLog } from '../../daemon/lib/log.ts';
import { limits } from '../../daemon/limits.ts';
import { field, frame } from '../support/fake-daemon.ts';
import { number, scratch } from '../support/fido-rig.ts';
import { until } from '../support/until.ts';

/** The daemon's side, against helpers with arbitrary behaviour. */
const directory = scratch('fido-helper');
const servers: { close(): void }[] = [];
after(() => {
  for (const server of servers) server.close();
  directory.remove();
});

/** Whether the reader has closed: the connection is broken, not only ended. */
async function letGo({ socket }: Fake): Promise<void> {
  await until(() => {
    const line = socket();
    if (line !== undefined && !line.destroyed) line.write(touch);
    return line?.destroyed === true;
  }, limits.fidoFarewell + 4_000);
}

interface Fake {
  readonly helper: FidoHelper;
  readonly lines: string[];
  /** Everything received, and whether the stream ended. */
  readonly came: () => { readonly bytes: Buffer; readonly ended: boolean };
  readonly socket: () => Socket | undefined;
}

let count = 0;
/** @param script what it sends after the request */
async function fake(script: (socket: Socket) => void): Promise<Fake> {
  const chunks: Buffer[] = [];
  let ended = false;
  let held: Socket | undefined;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    held = socket;
    socket.on('error', () => undefined);
    socket.on('end', () => {
      ended = true;
    });
    socket.on('data', (chunk: Buffer) => chunks.push(Buffer.from(chunk)));
    socket.once('data', () => script(socket));
  });
  servers.push(server);
  const at = path.join(directory.path, `socket-${count++}`);
  await new Promise<void>((resolve) => server.listen(at, resolve));
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line), false);
  return {
    helper: createFidoHelper({ where: { socket: at }, log }),
    lines,
    came: () => ({ bytes: Buffer.concat(chunks), ended }),
    socket: () => held,
  };
}

const request = (deadline = 60_000) => ({
  clientDataHash: Buffer.alloc(32),
  groups: [{ rpId: 'example.org', credentialIds: [Buffer.alloc(16)] }],
  userVerification: 'discouraged' as const,
  deadline,
});

const id = (length = 16) => field(0x0a, Buffer.alloc(length, 1));
const data = (length = 37) => field(0x37, Buffer.alloc(length, 2));
const signature = (length = 70) => field(0x38, Buffer.alloc(length, 3));
const asserted = frame(0x63, id(), data(), signature());
const keys = (value = 1) => frame(0x51, field(0x30, number(value)));
const touch = frame(0x52);
const wanted = (ask: number, why = 1, ...rest: readonly Buffer[]) =>
  frame(0x53, field(0x21, number(ask)), field(0x31, number(why)), ...rest);
const failed = (reason: number, detail: string | Buffer = 'why') =>
  frame(0x64, field(0x39, number(reason)), field(0x3a, detail));
const name = (text: string | Buffer) => field(0x33, text);
const fido2 = (value = 1) => field(0x34, number(value));

async function answer(...frames: readonly Buffer[]) {
  const rig = await fake((socket) => socket.write(Buffer.concat(frames)));
  const events: FidoEvent[] = [];
  const outcome = await rig.helper.assert(request(), (event) => events.push(event)).outcome;
  return { ...rig, outcome, events };
}

describe('messages of the helper', { concurrency: 4 }, () => {
  it('become events and one outcome', async () => {
    const { outcome, events, lines } = await answer(keys(0), keys(2), touch, asserted);
    assert.deepEqual(events, [{ kind: 'keys', count: 0 }, { kind: 'keys', count: 2 }, { kind: 'touch' }]);
    assert.deepEqual(outcome, {
      kind: 'asserted',
      credentialId: Buffer.alloc(16, 1),
      authenticatorData: Buffer.alloc(37, 2),
      signature: Buffer.alloc(70, 3),
    });
    assert.deepEqual(lines, []);
  });

  it('are read byte for byte as well', async () => {
    const { helper } = await fake((socket) => {
      const bytes = Buffer.concat([touch, asserted]);
      const next = (at: number) => {
        if (at < bytes.length) socket.write(bytes.subarray(at, at + 1), () => setImmediate(next, at + 1));
      };
      next(0);
    });
    assert.equal((await helper.assert(request(), () => undefined).outcome).kind, 'asserted');
  });

  it('name each reason', async () => {
    const reasons = ['no-touch', 'no-key', 'wrong-key', 'excluded', 'no-pin', 'pin-blocked', 'unsupported'];
    for (const [index, reason] of [...reasons, 'key-full', 'key-failed', 'cancelled'].entries()) {
      const { outcome } = await answer(failed(index + 1));
      assert.deepEqual(outcome, { kind: 'failed', reason, detail: 'why' });
    }
  });

  const longest: Readonly<Record<string, Buffer>> = {
    'the longest': frame(0x63, id(1023), data(4096), signature(1024)),
    'the shortest': frame(0x63, id(1), data(37), signature(1)),
    'the longest detail': failed(1, 'd'.repeat(256)),
    'no detail': failed(1, ''),
  };
  for (const [what, bytes] of Object.entries(longest)) {
    it(`are accepted: ${what}`, async () => {
      const { outcome } = await answer(keys(8), bytes);
      assert.ok(outcome.kind === 'asserted' || outcome.reason === 'no-touch');
    });
  }

  const violations: Readonly<Record<string, Buffer>> = {
    'an empty frame': Buffer.alloc(4),
    'a frame that is too long': Buffer.from('00004001', 'hex'),
    'an unknown type': frame(0x54),
    'a request': frame(0x43),
    'nine keys': keys(9),
    'a field too many': frame(0x52, id()),
    'a cut field': frame(0x51, Buffer.from([0x30, 0])),
    'a field past its frame': frame(0x51, Buffer.from([0x30, 0, 2, 1])),
    'an id that is too long': frame(0x63, id(1024), data(), signature()),
    'no id': frame(0x63, data(), signature()),
    'another order': frame(0x63, data(), id(), signature()),
    'data that are too short': frame(0x63, id(), data(36), signature()),
    'data that are too long': frame(0x63, id(), data(4097), signature()),
    'a signature that is too long': frame(0x63, id(), data(), signature(1025)),
    'no signature': frame(0x63, id(), data()),
    'a detail that is too long': failed(1, 'd'.repeat(257)),
    'a detail with an escape': failed(1, 'a\u001b[1mb'),
    'a detail with a C1 control': failed(1, 'a\u009bb'),
    'a detail that is no UTF-8': failed(1, Buffer.from([0xff])),
    'an unknown reason': failed(11),
    'a PIN for no reason': wanted(1, 0),
    'a PIN without a number': wanted(0),
    'an outcome of another question': frame(0x61),
    'an end in the middle': asserted.subarray(0, 20),
  };
  for (const [what, bytes] of Object.entries(violations)) {
    it(`are rejected, and the helper is closed: ${what}`, async () => {
      const rig = await fake((socket) => socket.end(bytes));
      const outcome = await rig.helper.assert(request(), () => undefined).outcome;
      assert.equal(outcome.kind === 'failed' && outcome.reason, 'helper-failed');
      assert.equal(rig.lines.length, 1);
      await letGo(rig);
    });
  }

  it('are bounded', async () => {
    const many = (much: number) => answer(...Array<Buffer>(much).fill(touch), asserted);
    assert.equal((await many(limits.fidoEvents - 1)).outcome.kind, 'asserted');
    assert.equal((await many(limits.fidoEvents)).outcome.kind, 'failed');
  });

  it('list keys, a clean name each, eight at most', async () => {
    const listing = async (...fields: readonly Buffer[]) =>
      (await fake((socket) => socket.write(frame(0x61, ...fields)))).helper.list();
    assert.deepEqual(await listing(name('Yubico'), fido2(), name(''), fido2(0)), [
      { name: 'Yubico', fido2: true },
      { name: '', fido2: false },
    ]);
    const eight = Array.from({ length: 8 }, () => [name('x'.repeat(128)), fido2()]).flat();
    assert.equal((await listing(...eight)).length, 8);
    for (const bad of [
      [...eight, name('x'), fido2()],
      [name('x'.repeat(129)), fido2()],
      [name('a\nb'), fido2()],
      [name('x')],
      [name('x'), fido2(2)],
    ]) {
      assert.deepEqual(await listing(...bad), []);
    }
  });
});

describe('a PIN', () => {
  it('is sent once, for the latest request, and is wiped', async () => {
    const { helper, came } = await fake((socket) => socket.write(Buffer.concat([wanted(1), wanted(7, 2)])));
    const events: FidoEvent[] = [];
    const call = helper.assert(request(), (event) => events.push(event));
    await until(() => events.length === 2, 60_000);
    const before = came().bytes.length;
    const typed = Buffer.from('271828');
    call.pin(typed);
    assert.deepEqual(typed, Buffer.alloc(6));
    const expected = frame(0x44, field(0x21, number(7)), field(0x20, '271828'));
    const again = Buffer.from('271828');
    call.pin(again);
    assert.deepEqual(again, Buffer.alloc(6));
    call.cancel();
    await until(() => came().ended, 60_000);
    assert.deepEqual(came().bytes.subarray(before), expected);
    assert.deepEqual(events, [
      { kind: 'pin', why: 'first' },
      { kind: 'pin', why: 'wrong' },
    ]);
  });

  it('without a request is not sent, and wiped', async () => {
    const { helper, came } = await fake((socket) => socket.write(touch));
    let touched = false;
    const call = helper.assert(request(), () => {
      touched = true;
    });
    await until(() => touched, 60_000);
    const before = came().bytes.length;
    const typed = Buffer.from('271828');
    call.pin(typed);
    assert.deepEqual(typed, Buffer.alloc(6));
    call.cancel();
    await until(() => came().ended, 60_000);
    assert.equal(came().bytes.length, before);
  });
});

describe('the end of a call', { concurrency: 4 }, () => {
  it('is the cancel: at once, and the stream ends', async () => {
    const { helper, came } = await fake((socket) => socket.write(touch));
    const call = helper.assert(request(), () => undefined);
    await until(() => came().bytes.length > 0, 60_000);
    call.cancel();
    const outcome = await call.outcome;
    assert.equal(outcome.kind === 'failed' && outcome.reason, 'cancelled');
    await until(() => came().ended, 60_000);
  });

  it('does not change an existing outcome', async () => {
    const { helper } = await fake((socket) => socket.write(asserted));
    const call = helper.assert(request(), () => undefined);
    await call.outcome;
    call.cancel();
    assert.equal((await call.outcome).kind, 'asserted');
  });

  it('of a silent helper follows soon after its deadline', async () => {
    const rig = await fake(() => undefined);
    const began = Date.now();
    const outcome = await rig.helper.assert(request(100), () => undefined).outcome;
    assert.equal(outcome.kind === 'failed' && outcome.reason, 'helper-failed');
    assert.ok(Date.now() - began >= 100 + limits.fidoLateness - 50);
    await letGo(rig);
  });

  it('of a late list is an empty one', async () => {
    const { helper } = await fake(() => undefined);
    assert.deepEqual(await helper.list(), []);
  });

  it('of a helper that stays after its outcome is forced', async () => {
    const rig = await fake((socket) => socket.write(asserted));
    await rig.helper.assert(request(), () => undefined).outcome;
    await letGo(rig);
  });

  it('comes without a helper', async () => {
    for (const where of [
      { socket: path.join(directory.path, 'none') },
      { program: path.join(directory.path, 'none') },
    ]) {
      const helper = createFidoHelper({ where, log: createLog(() => undefined, false) });
      const outcome = await helper.assert(request(), () => undefined).outcome;
      assert.equal(outcome.kind === 'failed' && outcome.reason, 'helper-failed');
      assert.deepEqual(await helper.list(), []);
    }
  });

  it('comes with a program that is not a helper', async () => {
    for (const program of ['/bin/true', '/bin/cat', '/usr/bin/yes']) {
      const helper = createFidoHelper({ where: { program }, log: createLog(() => undefined, false) });
      const outcome = await helper.assert(request(), () => undefined).outcome;
      assert.equal(outcome.kind === 'failed' && outcome.reason, 'helper-failed', program);
    }
  });

  it('ends a program that does not end by itself', async () => {
    const program = path.join(directory.path, 'deaf');
    const mark = path.join(directory.path, 'deaf.pid');
    writeFileSync(program, `#!/bin/sh\necho $$ > ${mark}\nexec /bin/sleep 600\n`);
    chmodSync(program, 0o755);
    const helper = createFidoHelper({ where: { program }, log: createLog(() => undefined, false) });
    const call = helper.assert(request(), () => undefined);
    const pid = () => {
      try {
        return Number(readFileSync(mark, 'utf8'));
      } catch {
        return 0;
      }
    };
    await until(() => pid() > 0, 60_000);
    call.cancel();
    await until(() => {
      try {
        return !process.kill(pid(), 0);
      } catch {
        return true;
      }
    }, limits.fidoFarewell + 3_000);
  });

  it('is immediate for a request that is too long', async () => {
    const { helper } = await fake(() => undefined);
    const credentialIds = Array.from({ length: 64 }, () => Buffer.alloc(1_023));
    const long = { ...request(), groups: [{ rpId: 'example.org', credentialIds }] };
    const outcome = await helper.assert(long, () => undefined).outcome;
    assert.equal(outcome.kind === 'failed' && outcome.reason, 'helper-failed');
  });
});
