/** The module's side of docs/reference/protocol.md, written from the page and apart from the product's own. */

export function frame(type: number, ...fields: readonly Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.from([type]), ...fields]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

export function field(tag: number, bytes: Buffer | string): Buffer {
  const value = Buffer.from(bytes as string);
  return Buffer.concat([Buffer.from([tag, value.length >> 8, value.length & 0xff]), value]);
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export const tag = {
  version: 0x01,
  service: 0x02,
  user: 0x03,
  ruser: 0x04,
  rhost: 0x05,
  tty: 0x06,
  session: 0x07,
  realUid: 0x08,
  mode: 0x09,
  firstFactorPassed: 0x0a,
  sshAuthInfo: 0x0b,
  deadline: 0x0c,
  flags: 0x0d,
  terminal: 0x0e,
} as const;

/** The fields of a HELLO that is right; `undefined` leaves one out. */
export type HelloFields = Partial<Record<keyof typeof tag, Buffer | string | undefined>>;

export function hello(changes: HelloFields = {}): Buffer {
  const fields: HelloFields = {
    version: Buffer.from([1]),
    service: 'sudo',
    user: 'alice',
    realUid: u32(1000),
    mode: Buffer.from([0]),
    firstFactorPassed: Buffer.from([1]),
    deadline: u32(100_000),
    flags: u32(0),
    ...changes,
  };
  const parts = (Object.keys(tag) as (keyof typeof tag)[]).flatMap((name) => {
    const value = fields[name];
    return value === undefined ? [] : [field(tag[name], value)];
  });
  return frame(0x01, ...parts);
}

export function answer(text: string | Buffer): Buffer {
  return frame(0x02, field(0x20, text));
}

export const cancel = frame(0x03);
export const withdrawn = frame(0x04);

/** What the daemon sends, taken apart. */
export type Seen =
  | { readonly type: 'info' | 'error'; readonly text: string }
  | { readonly type: 'prompt'; readonly text: string; readonly style: number }
  | { readonly type: 'wait' | 'withdraw' }
  | { readonly type: 'result'; readonly code: number; readonly strip: number };

/** @returns the frames that are whole, and the bytes that are left */
export function takeApart(bytes: Buffer): { readonly frames: readonly Seen[]; readonly rest: Buffer } {
  const frames: Seen[] = [];
  let at = 0;
  while (bytes.length - at >= 4 && bytes.length - at >= 4 + bytes.readUInt32BE(at)) {
    const end = at + 4 + bytes.readUInt32BE(at);
    frames.push(seen(bytes.subarray(at + 4, end)));
    at = end;
  }
  return { frames, rest: bytes.subarray(at) };
}

function seen(body: Buffer): Seen {
  const fields = new Map<number, Buffer>();
  for (let at = 1; at < body.length; ) {
    const end = at + 3 + body.readUInt16BE(at + 1);
    fields.set(body.readUInt8(at), body.subarray(at + 3, end));
    at = end;
  }
  const get = (wanted: number): Buffer => {
    const value = fields.get(wanted);
    if (value === undefined) throw new Error(`the daemon left out field ${wanted}`);
    return value;
  };
  switch (body.readUInt8(0)) {
    case 0x11:
      return { type: 'info', text: get(0x30).toString() };
    case 0x12:
      return { type: 'error', text: get(0x30).toString() };
    case 0x13:
      return { type: 'prompt', text: get(0x30).toString(), style: get(0x31).readUInt8(0) };
    case 0x14:
      return { type: 'wait' };
    case 0x15:
      return { type: 'result', code: get(0x32).readUInt32BE(0), strip: get(0x33).readUInt16BE(0) };
    case 0x16:
      return { type: 'withdraw' };
    default:
      throw new Error(`the daemon sent a frame of type ${body.readUInt8(0)}`);
  }
}
