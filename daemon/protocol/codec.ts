import { SallyportError } from '../lib/errors.ts';
import { limits } from '../limits.ts';

/**
 * The one framing of docs/reference/protocol.md: a length, a type, and fields of tag, length and value. Pure: bytes in,
 * values out. Which fields a frame has is up to the files beside this one; native/frames/ is the same in C.
 */

const lengthSize = 4;
const fieldHeaderSize = 3;

/** Makes the error for what a peer did against the protocol. Its text never says what a field held. */
export type Violation = (what: string) => SallyportError<'protocol-violation'>;

export function violationOf(peer: string): Violation {
  return (what) => new SallyportError('protocol-violation', `${peer} broke the protocol: ${what}`);
}

export interface Field {
  readonly tag: number;
  readonly value: Uint8Array;
}

export function unsigned(value: number, size: 1 | 2 | 4): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUIntBE(value, 0, size);
  return bytes;
}

/** The whole frame, length included, in one buffer: a caller that sent a secret wipes this, and nothing is left. */
export function encodeFrame(type: number, fields: readonly Field[]): Buffer {
  const length = fields.reduce((sum, { value }) => sum + fieldHeaderSize + value.length, 1);
  const frame = Buffer.alloc(lengthSize + length);
  frame.writeUInt32BE(length, 0);
  let at = frame.writeUInt8(type, lengthSize);
  for (const { tag, value } of fields) {
    at = frame.writeUInt8(tag, at);
    at = frame.writeUInt16BE(value.length, at);
    frame.set(value, at);
    at += value.length;
  }
  return frame;
}

/** @param body type and fields, without the length @returns views into `body`, in its order */
export function fieldsOf(body: Buffer, violation: Violation): readonly { tag: number; value: Buffer }[] {
  const fields: { tag: number; value: Buffer }[] = [];
  for (let at = 1; at < body.length; ) {
    if (at + fieldHeaderSize > body.length) throw violation('a field header that is cut off');
    const from = at + fieldHeaderSize;
    const end = from + body.readUInt16BE(at + 1);
    if (end > body.length) throw violation('a field that runs past its frame');
    fields.push({ tag: body.readUInt8(at), value: body.subarray(from, end) });
    at = end;
  }
  return fields;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @returns undefined if `bytes` are not UTF-8 */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Takes bytes as they come and gives whole frames. One for each connection.
 *
 * Invariants:
 * - a length is verified before a byte of the body is kept;
 * - whatever was received is wiped once it is rejected, since an answer or a PIN may be in it.
 */
export class FrameReader<Frame> {
  readonly #decode: (body: Buffer) => Frame;
  readonly #violation: Violation;
  readonly #header = Buffer.alloc(lengthSize);
  #received = 0;
  #body: Buffer | undefined;

  /** @param decode takes type and fields, without the length; the frame may point into them */
  constructor(decode: (body: Buffer) => Frame, violation: Violation) {
    this.#decode = decode;
    this.#violation = violation;
  }

  /**
   * @returns the frames that became complete; `chunk` is wiped
   * @throws SallyportError `protocol-violation`
   */
  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    const bodies: Buffer[] = [];
    try {
      let at = 0;
      while (at < chunk.length) {
        at += this.#take(chunk, at);
        const body = this.#body;
        if (body === undefined || this.#received < body.length) continue;
        this.#body = undefined;
        this.#received = 0;
        bodies.push(body);
        frames.push(this.#decode(body));
      }
    } catch (error) {
      // The caller gets none of the frames before the wrong one.
      for (const body of bodies) body.fill(0);
      throw error;
    } finally {
      chunk.fill(0);
    }
    return frames;
  }

  /** The input has ended: a half-received frame may hold most of an answer. */
  end(): void {
    this.#body?.fill(0);
    this.#body = undefined;
  }

  #take(chunk: Buffer, at: number): number {
    const target = this.#body ?? this.#header;
    const taken = chunk.copy(target, this.#received, at);
    this.#received += taken;
    if (this.#body === undefined && this.#received === this.#header.length) {
      const length = this.#header.readUInt32BE(0);
      if (length < 1 || length > limits.frameLength) throw this.#violation(`a frame of ${length} bytes`);
      this.#body = Buffer.alloc(length);
      this.#received = 0;
    }
    return taken;
  }
}
