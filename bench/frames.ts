/** docs/reference/protocol.md, apart from the implementation in daemon/protocol/. */

function frame(type: number, fields: readonly (readonly [number, Buffer | string])[]): Buffer {
  const parts = fields.map(([tag, value]) => {
    const bytes = Buffer.from(value as string);
    return Buffer.concat([Buffer.from([tag, bytes.length >> 8, bytes.length & 0xff]), bytes]);
  });
  const body = Buffer.concat([Buffer.from([type]), ...parts]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Of a login whose first factor nothing has verified. */
export function helloFrame(user: string, service: string, realUid: number, rhost?: string): Buffer {
  return frame(0x01, [
    [0x01, Buffer.from([1])],
    [0x02, service],
    [0x03, user],
    ...(rhost === undefined ? [] : [[0x05, rhost] as const]),
    [0x08, number(realUid)],
    [0x09, Buffer.from([0])],
    [0x0a, Buffer.from([0])],
    [0x0c, number(60_000)],
    [0x0d, number(0)],
  ]);
}

export function answerFrame(text: string): Buffer {
  return frame(0x02, [[0x20, text]]);
}

/** The daemon's side, of a login that succeeds. */
export const promptFrame = frame(0x13, [
  [0x30, 'Code: '],
  [0x31, Buffer.from([0])],
]);
export const resultFrame = frame(0x15, [
  [0x32, number(0)],
  [0x33, Buffer.alloc(2)],
]);
