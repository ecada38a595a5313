import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { SallyportError } from '../../../daemon/lib/errors.ts';
import {
  createModuleFrameReader,
  type DaemonFrame,
  decodeModuleFrame,
  encodeDaemonFrame,
  type ModuleFrame,
} from '../../../daemon/protocol/login.ts';
import {
  answer,
  cancel,
  field,
  frame,
  type HelloFields,
  hello,
  type tag,
  u32,
} from '../../support/module-frames.ts';
import { vectors } from '../../support/native.ts';
import { fc } from '../../support/property.ts';
import { type GoodVector, vectorBytes, vectorIndex } from '../../support/vectors.ts';

const modes = ['prompt', 'password-and-code', 'first-pass'];
const optionalTexts = ['ruser', 'rhost', 'tty', 'session', 'sshAuthInfo'];

/** frames.json as the daemon sees it: empty and absent are the same. */
function expected({ type, fields }: GoodVector): unknown {
  if (type === 'CANCEL') return { type: 'cancel' };
  if (type === 'WITHDRAWN') return { type: 'withdrawn' };
  if (type === 'ANSWER') return { type: 'answer', answer: String(fields.bytes) };
  const { version: _, mode, firstFactorPassed, terminal = 0, ...rest } = fields;
  const texts = Object.entries(rest).filter(
    ([name, value]) => !(optionalTexts.includes(name) && value === ''),
  );
  return {
    type: 'hello',
    ...Object.fromEntries(texts),
    mode: modes[Number(mode)],
    firstFactorPassed: firstFactorPassed === 1,
    terminal: terminal === 1,
  };
}

function shown(frame: ModuleFrame): unknown {
  return frame.type === 'answer' ? { type: 'answer', answer: frame.answer.toString('hex') } : frame;
}

/** Feeds the pieces to one reader, each as a copy: the reader wipes its input. */
function read(...pieces: readonly Buffer[]): unknown[] {
  const reader = createModuleFrameReader();
  return pieces.flatMap((piece) => reader.push(Buffer.from(piece)).map(shown));
}

function bytewise(bytes: Buffer): Buffer[] {
  return [...bytes].map((byte) => Buffer.from([byte]));
}

function isViolation(error: unknown): boolean {
  return error instanceof SallyportError && error.code === 'protocol-violation';
}

type Golden = GoodVector & { readonly file: string; readonly bytes: Buffer };

const golden: readonly Golden[] = Object.entries(vectorIndex.frames).map(([file, frame]) => ({
  file,
  ...frame,
  bytes: vectorBytes(file),
}));
const bad = Object.entries(vectorIndex.bad).map(([file, frame]) => ({
  file,
  ...frame,
  bytes: vectorBytes(`bad/${file}`),
}));
const fromModule = golden.filter(({ direction }) => direction === 'module-to-daemon');
const fromDaemon = golden.filter(({ direction }) => direction === 'daemon-to-module');
const badFromModule = bad.filter(({ direction }) => direction === 'module-to-daemon');

function hexFiles(directory: string): string[] {
  return readdirSync(path.join(vectors, directory)).filter((file) => file.endsWith('.hex'));
}

describe('the golden bytes', () => {
  it('are complete', () => {
    assert.deepEqual(hexFiles('.').sort(), golden.map(({ file }) => file).sort());
    assert.deepEqual(hexFiles('bad').sort(), bad.map(({ file }) => file).sort());
    assert.ok(fromModule.length >= 10 && fromDaemon.length >= 15 && badFromModule.length >= 30);
  });

  for (const vector of fromModule) {
    it(`${vector.file} is read whole`, () => {
      assert.deepEqual(read(vector.bytes), [expected(vector)]);
    });
    it(`${vector.file} is read byte by byte`, () => {
      assert.deepEqual(read(...bytewise(vector.bytes)), [expected(vector)]);
    });
    it(`${vector.file} is read in two pieces, wherever it is cut`, () => {
      for (let cut = 0; cut <= vector.bytes.length; cut += 1) {
        const pieces = [vector.bytes.subarray(0, cut), vector.bytes.subarray(cut)];
        assert.deepEqual(read(...pieces), [expected(vector)], `cut at ${cut}`);
      }
    });
    it(`${vector.file} is not a frame before its last byte`, () => {
      assert.deepEqual(read(vector.bytes.subarray(0, -1)), []);
    });
  }

  it('are read concatenated, whole and in pieces that do not match frames', () => {
    const all = Buffer.concat(fromModule.map(({ bytes }) => bytes));
    const wanted = fromModule.map(expected);
    assert.deepEqual(read(all), wanted);
    for (const size of [2, 3, 5, 17, 4093]) {
      const pieces: Buffer[] = [];
      for (let at = 0; at < all.length; at += size) pieces.push(all.subarray(at, at + size));
      assert.deepEqual(read(...pieces), wanted, `in pieces of ${size}`);
    }
  });

  for (const vector of badFromModule) {
    it(`bad/${vector.file} is refused: ${vector.reason}`, () => {
      assert.throws(() => read(vector.bytes), isViolation);
      assert.throws(() => read(...bytewise(vector.bytes)), isViolation);
    });
  }

  it('an impossible length is refused without a byte of a body', () => {
    for (const length of [0, 16_385, 0xffff_ffff]) assert.throws(() => read(u32(length)), isViolation);
  });

  // The daemon does not send tags that it does not know.
  for (const vector of fromDaemon.filter(({ file }) => file !== 'info-unknown-tag.hex')) {
    it(`${vector.file} is what the daemon writes`, () => {
      assert.equal(encodeDaemonFrame(toSend(vector)).toString('hex'), vector.bytes.toString('hex'));
    });
  }
});

const codes: Record<number, (DaemonFrame & { type: 'result' })['code']> = {
  0: 'success',
  4: 'system-err',
  6: 'perm-denied',
  7: 'auth-err',
  11: 'maxtries',
  25: 'ignore',
};

const styles = ['hidden', 'shown', 'terminal'] as const;

function toSend({ type, fields }: GoodVector): DaemonFrame {
  const text = String(fields.text);
  switch (type) {
    case 'INFO':
      return { type: 'info', text };
    case 'ERROR':
      return { type: 'error', text };
    case 'PROMPT':
      return { type: 'prompt', text, style: styles[Number(fields.style)] ?? 'hidden' };
    case 'WAIT':
      return { type: 'wait' };
    case 'WITHDRAW':
      return { type: 'withdraw' };
    default: {
      const code = codes[Number(fields.code)];
      assert.ok(code !== undefined);
      return { type: 'result', code, strip: Number(fields.strip) };
    }
  }
}

describe('the limits of a frame, from both sides', () => {
  /** Of docs/reference/protocol.md, not of limits.ts. */
  const longest: [keyof typeof tag, number][] = [
    ['service', 64],
    ['user', 256],
    ['ruser', 256],
    ['rhost', 256],
    ['tty', 128],
    ['session', 128],
    ['sshAuthInfo', 12_288],
  ];
  for (const [name, most] of longest) {
    it(`${name} has at most ${most} bytes, counted in bytes and not in characters`, () => {
      assert.equal(read(hello({ [name]: 'x'.repeat(most) })).length, 1);
      assert.throws(() => read(hello({ [name]: 'x'.repeat(most + 1) })), isViolation);
      assert.equal(read(hello({ [name]: 'ö'.repeat(most / 2) })).length, 1);
      assert.throws(() => read(hello({ [name]: `x${'ö'.repeat(most / 2)}` })), isViolation);
    });
    it(`${name} is UTF-8 and contains no NUL`, () => {
      for (const bytes of ['a\0b', 'a\0']) assert.throws(() => read(hello({ [name]: bytes })), isViolation);
      for (const hex of ['ff', 'c0af', 'eda080', 'f4908080', 'c3'])
        assert.throws(() => read(hello({ [name]: Buffer.from(hex, 'hex') })), isViolation, hex);
    });
  }

  it('service and user have at least one byte', () => {
    for (const name of ['service', 'user']) {
      assert.equal(read(hello({ [name]: 'x' })).length, 1);
      assert.throws(() => read(hello({ [name]: '' })), isViolation);
    }
  });

  it('every required field is required, and every field has one size', () => {
    const sizes: HelloFields = {
      version: '',
      realUid: '',
      mode: '',
      firstFactorPassed: '',
      deadline: '',
      flags: '',
    };
    for (const name of ['service', 'user', ...Object.keys(sizes)])
      assert.throws(() => read(hello({ [name]: undefined })), isViolation, name);
    for (const name of Object.keys(sizes) as (keyof HelloFields)[]) {
      const right = ['version', 'mode', 'firstFactorPassed'].includes(name) ? 1 : 4;
      for (const size of [0, 1, 2, 3, 4, 5, 8].filter((each) => each !== right))
        assert.throws(() => read(hello({ [name]: Buffer.alloc(size, 1) })), isViolation, `${name}: ${size}`);
    }
  });

  it('version is 1, mode at most 2, first factor passed and terminal 0 or 1', () => {
    for (const [name, good, bad] of [
      ['version', [1], [0, 2, 255]],
      ['mode', [0, 1, 2], [3, 255]],
      ['firstFactorPassed', [0, 1], [2, 255]],
      ['terminal', [0, 1], [2, 255]],
    ] as const) {
      for (const value of good) assert.equal(read(hello({ [name]: Buffer.from([value]) })).length, 1);
      for (const value of bad)
        assert.throws(() => read(hello({ [name]: Buffer.from([value]) })), isViolation, `${name} ${value}`);
    }
  });

  it('an answer has at most 1024 bytes, and may be empty', () => {
    assert.deepEqual(read(answer('')), [{ type: 'answer', answer: '' }]);
    assert.equal(read(answer('x'.repeat(1024))).length, 1);
    assert.throws(() => read(answer('x'.repeat(1025))), isViolation);
    assert.throws(() => read(frame(0x02)), isViolation);
  });

  it('an answer may be any bytes: it is not text', () => {
    const bytes = Buffer.from('00ff80c0fe0a1b', 'hex');
    assert.deepEqual(read(answer(bytes)), [{ type: 'answer', answer: bytes.toString('hex') }]);
  });

  it('a frame has 1 to 16384 bytes', () => {
    const filler = (length: number): Buffer => frame(0x03, field(0x7f, Buffer.alloc(length)));
    assert.deepEqual(read(filler(16_384 - 4)), [{ type: 'cancel' }]);
    assert.throws(() => read(filler(16_384 - 3)), isViolation);
    assert.deepEqual(read(frame(0x03)), [{ type: 'cancel' }]);
  });

  it('a text that is shown has 1 to 4096 bytes', () => {
    for (const type of ['info', 'error'] as const) {
      assert.equal(encodeDaemonFrame({ type, text: 'x'.repeat(4096) }).length, 4 + 1 + 3 + 4096);
      for (const text of ['', 'x'.repeat(4097), 'ö'.repeat(2049)])
        assert.throws(() => encodeDaemonFrame({ type, text }), SallyportError);
    }
    assert.throws(() => encodeDaemonFrame({ type: 'prompt', text: '', style: 'hidden' }), SallyportError);
  });
});

describe('a frame that is not exactly as specified', () => {
  it('unknown tags are skipped, and a repeated tag is refused, known or unknown', () => {
    assert.deepEqual(read(frame(0x03, field(0x70, 'x'), field(0x71, ''))), [{ type: 'cancel' }]);
    assert.throws(() => read(frame(0x03, field(0x70, 'x'), field(0x70, 'x'))), isViolation);
  });

  it('types of the daemon, and unassigned types, are refused', () => {
    for (let type = 0; type < 256; type += 1) {
      if (type >= 0x01 && type <= 0x04) continue;
      assert.throws(() => read(frame(type)), isViolation, `type ${type}`);
    }
  });

  it('a name is taken unchanged: nothing is removed, not even a byte order mark', () => {
    for (const name of ['\ufeffalice', ' alice', 'alice ', 'ALICE', 'a\u0301lice', '\ufeff']) {
      const [got] = read(hello({ user: name, service: name }));
      assert.deepEqual(got, { ...(got as object), user: name, service: name }, JSON.stringify(name));
    }
  });
});

describe('typed answers', () => {
  const secret = 'hunter2-287082';
  const wrongs: Buffer[] = [
    frame(0x02, field(0x20, secret), field(0x20, secret)),
    frame(0x02, field(0x20, secret.repeat(80))),
    frame(0x02, field(0x21, secret)),
    frame(0x02, field(0x20, secret), Buffer.from([0x21, 0xff])),
    frame(0x02, Buffer.from([0x20, 0x00, 0xff]), Buffer.from(secret)),
    frame(0x05, field(0x20, secret)),
  ];

  it('appear in no error', () => {
    for (const bytes of wrongs) {
      try {
        read(bytes);
        assert.fail('should have been refused');
      } catch (error) {
        assert.ok(isViolation(error), String(error));
        const reported = `${String(error)} ${(error as Error).stack} ${JSON.stringify(error)}`;
        assert.ok(!reported.includes(secret) && !reported.includes(Buffer.from(secret).toString('hex')));
        assert.ok(!reported.includes('hunter2') && !reported.includes('287082'));
      }
    }
  });

  it('are wiped from the chunk that they arrived in, whole or in part, refused or not', () => {
    const right = answer(secret);
    const cases = [right, right.subarray(0, 12), Buffer.concat([right, cancel]), ...wrongs];
    for (const bytes of cases) {
      const chunk = Buffer.from(bytes);
      try {
        createModuleFrameReader().push(chunk);
      } catch (error) {
        assert.ok(isViolation(error));
      }
      assert.ok(chunk.every((byte) => byte === 0));
    }
  });

  it('are wiped from what was assembled, partly received or refused', (t) => {
    const bodies: Buffer[] = [];
    const alloc = Buffer.alloc.bind(Buffer);
    t.mock.method(Buffer, 'alloc', (size: number) => {
      bodies.push(alloc(size));
      return bodies.at(-1);
    });
    for (const bytes of [
      answer(secret).subarray(0, -1),
      ...wrongs.filter((wrong) => wrong.includes(secret)),
    ]) {
      bodies.length = 0;
      const reader = createModuleFrameReader();
      const push = () => reader.push(Buffer.from(bytes));
      if (bytes === wrongs[0] || wrongs.includes(bytes)) assert.throws(push, isViolation);
      else {
        push();
        assert.ok(
          bodies.some((body) => body.includes(secret.slice(0, -1))),
          'it was there',
        );
        reader.end();
      }
      assert.ok(!bodies.some((body) => body.includes(secret.slice(0, 4))));
    }
  });

  it('are wiped when later bytes violate the protocol', (t) => {
    const bodies: Buffer[] = [];
    const alloc = Buffer.alloc.bind(Buffer);
    t.mock.method(Buffer, 'alloc', (size: number) => {
      const body = alloc(size);
      bodies.push(body);
      return body;
    });
    const chunk = Buffer.concat([answer(secret), Buffer.from([0, 0, 0, 0])]);
    assert.throws(() => createModuleFrameReader().push(chunk), isViolation);
    assert.ok(bodies.length > 0 && !bodies.some((body) => body.includes(secret.slice(0, 4))));
  });

  it('are removed from the frame too once the answer is wiped', () => {
    const body = Buffer.from(answer(secret).subarray(4));
    const decoded = decodeModuleFrame(body);
    assert.ok(decoded.type === 'answer');
    decoded.answer.fill(0);
    assert.ok(!body.includes(secret));
  });
});

describe('bytes of any origin', () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom(...fromModule.map(({ bytes }) => bytes), ...badFromModule.map(({ bytes }) => bytes)),
    fc
      .tuple(fc.integer({ min: 0, max: 5 }), fc.array(fc.tuple(fc.nat(255), fc.uint8Array({ maxLength: 9 }))))
      .map(([type, fields]) => frame(type, ...fields.map(([t, value]) => field(t, Buffer.from(value))))),
  );

  it('are frames, or a protocol violation, and never more bytes than were received', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), fc.integer({ min: 1, max: 50 }), (pieces, size) => {
        const all = Buffer.concat(pieces);
        const reader = createModuleFrameReader();
        let given = 0;
        let yielded = 0;
        for (let at = 0; at < all.length; at += size) {
          const chunk = Buffer.from(all.subarray(at, at + size));
          given += chunk.length;
          try {
            for (const got of reader.push(chunk)) yielded += sizeOf(got);
          } catch (error) {
            assert.ok(isViolation(error), String(error));
            return;
          }
          assert.ok(yielded <= given);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('are read the same however they are cut', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 5 }), fc.integer({ min: 1, max: 30 }), (pieces, size) => {
        const all = Buffer.concat(pieces);
        const cut: Buffer[] = [];
        for (let at = 0; at < all.length; at += size) cut.push(all.subarray(at, at + size));
        assert.deepEqual(outcome(cut), outcome([all]));
      }),
      { numRuns: 500 },
    );
  });
});

/** The smallest frame. */
function sizeOf(got: ModuleFrame): number {
  switch (got.type) {
    case 'answer':
      return 8 + got.answer.length;
    case 'cancel':
    case 'withdrawn':
      return 5;
    case 'hello':
      return 5 + Buffer.byteLength(`${got.service}${got.user}${got.rhost ?? ''}${got.sshAuthInfo ?? ''}`);
  }
}

function outcome(pieces: readonly Buffer[]): unknown {
  try {
    return read(...pieces);
  } catch (error) {
    assert.ok(isViolation(error), String(error));
    return 'violation';
  }
}
