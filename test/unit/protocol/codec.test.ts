import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SallyportError } from '../../../daemon/lib/errors.ts';
import {
  decodeText,
  encodeFrame,
  type Field,
  FrameReader,
  fieldsOf,
  unsigned,
  violationOf,
} from '../../../daemon/protocol/codec.ts';
import { fc } from '../../support/property.ts';

const violation = violationOf('the test');

interface Plain {
  readonly type: number;
  readonly fields: readonly (readonly [tag: number, hex: string])[];
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

function decode(body: Buffer): Plain {
  const fields = fieldsOf(body, violation).map(({ tag, value }) => [tag, hex(value)] as const);
  return { type: body.readUInt8(0), fields };
}

function read(...chunks: readonly Buffer[]): readonly Plain[] {
  const reader = new FrameReader(decode, violation);
  return chunks.flatMap((chunk) => reader.push(Buffer.from(chunk)));
}

function isViolation(error: unknown): boolean {
  return error instanceof SallyportError && error.code === 'protocol-violation';
}

const anyFrame = fc.record({
  type: fc.integer({ min: 0, max: 255 }),
  fields: fc.array(
    fc.record({ tag: fc.integer({ min: 0, max: 255 }), value: fc.uint8Array({ maxLength: 300 }) }),
    { maxLength: 12 },
  ),
});

describe('the codec of all framings', () => {
  it('writes length, type, and tag, length and value of each field, most significant byte first', () => {
    const fields: readonly Field[] = [
      { tag: 0x0a, value: unsigned(0x01020304, 4) },
      { tag: 0xff, value: Buffer.alloc(0) },
    ];
    assert.equal(hex(encodeFrame(0x42, fields)), '0000000b420a000401020304ff0000');
    assert.equal(hex(encodeFrame(0x03, [])), '0000000103');
  });

  it('reads what it writes, fields in order and repeated ones too, however it is cut', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 4 }), fc.integer({ min: 1, max: 40 }), (frames, size) => {
        const bytes = Buffer.concat(frames.map(({ type, fields }) => encodeFrame(type, fields)));
        const pieces: Buffer[] = [];
        for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
        const expected = frames.map(({ type, fields }) => ({
          type,
          fields: fields.map(({ tag, value }) => [tag, hex(value)] as const),
        }));
        assert.deepEqual(read(...pieces), expected);
      }),
    );
  });

  it('rejects a length outside 1 to 16384 before a byte of the body arrives', () => {
    for (const length of [0, 16_385, 0xffff_ffff])
      assert.throws(() => read(unsigned(length, 4)), isViolation, String(length));
    const longest = encodeFrame(1, [{ tag: 1, value: Buffer.alloc(16_384 - 4) }]);
    assert.equal(longest.readUInt32BE(0), 16_384);
    assert.equal(read(longest).length, 1);
  });

  it('rejects a field that is cut anywhere', () => {
    const body = encodeFrame(1, [{ tag: 7, value: Buffer.from('value') }]).subarray(4);
    for (let cut = 2; cut < body.length; cut += 1)
      assert.throws(() => fieldsOf(body.subarray(0, cut), violation), isViolation, `cut at ${cut}`);
    assert.equal(fieldsOf(body.subarray(0, 1), violation).length, 0);
  });

  it('names the peer in a violation, and nothing of the frame', () => {
    const secret = 'hunter2';
    const body = Buffer.concat([Buffer.from([1, 0x20, 0, 200]), Buffer.from(secret)]);
    const frame = Buffer.concat([unsigned(body.length, 4), body]);
    assert.throws(
      () => read(frame),
      (error: unknown) => {
        assert.ok(isViolation(error));
        assert.match(String(error), /the test broke the protocol/);
        return !String(error).includes(secret);
      },
    );
  });

  it('wipes each chunk, and every frame of a push that ends in a violation', () => {
    const bodies: Buffer[] = [];
    const maintenance = (body: Buffer) => {
      bodies.push(body);
      return decode(body);
    };
    const reader = new FrameReader(maintenance, violation);
    const good = encodeFrame(1, [{ tag: 2, value: Buffer.from('hunter2') }]);
    const chunk = Buffer.concat([good, unsigned(0, 4)]);
    assert.throws(() => reader.push(chunk), isViolation);
    assert.equal(bodies.length, 1);
    for (const bytes of [chunk, ...bodies]) assert.ok(bytes.every((byte) => byte === 0));
  });

  it('wipes partly received frames when the connection ends', (t) => {
    const kept: Buffer[] = [];
    const alloc = Buffer.alloc.bind(Buffer);
    t.mock.method(Buffer, 'alloc', (size: number) => {
      const bytes = alloc(size);
      kept.push(bytes);
      return bytes;
    });
    const bytes = encodeFrame(1, [{ tag: 2, value: Buffer.from('hunter2') }]);
    kept.length = 0;
    const reader = new FrameReader(decode, violation);
    reader.push(Buffer.from(bytes.subarray(0, -1)));
    assert.ok(kept.some((each) => each.includes('hunter')));
    reader.end();
    assert.ok(!kept.some((each) => each.includes('hunter')));
  });

  it('decodes UTF-8 without dropping a byte order mark, and nothing else', () => {
    assert.equal(decodeText(Buffer.from('\ufeffalice')), '\ufeffalice');
    for (const bytes of ['ff', 'c0af', 'eda080', 'f4908080', 'c3'])
      assert.equal(decodeText(Buffer.from(bytes, 'hex')), undefined, bytes);
  });
});
