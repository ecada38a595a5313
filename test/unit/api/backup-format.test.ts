import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type BackupHeader,
  type BackupPart,
  readBackup,
  writeBackup,
} from '../../../daemon/api/backup-format.ts';

const header: BackupHeader = {
  schema: 1,
  storeId: 'ab'.repeat(16),
  commit: 7,
  accounts: 2,
  events: { first: 1, last: 3 },
  taken: 1_700_000_000_000,
  host: 'gate',
  version: '1.0.0',
  keyId: 'k1',
  withMasterKey: true,
};
const pages = [
  [
    [Buffer.from('a'), Buffer.from('one')],
    [Buffer.from('b'), Buffer.alloc(0)],
  ],
  [[Buffer.alloc(300, 7), Buffer.alloc(5_000, 9)]],
] as const;

async function written(): Promise<Buffer> {
  const entries = (async function* () {
    yield* pages;
  })();
  const chunks: Buffer[] = [];
  const mac = () => '00';
  for await (const chunk of writeBackup({ header, masterKey: 'k1 secret\n', entries, mac }))
    chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function read(bytes: Buffer, size = bytes.length || 1): Promise<readonly BackupPart[]> {
  const chunks = (async function* () {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  })();
  const parts: BackupPart[] = [];
  for await (const part of readBackup(chunks)) parts.push(part);
  return parts;
}

test('the content is read back, however it is cut into pieces', async () => {
  const bytes = await written();
  for (const size of [1, 7, 4_096, bytes.length]) {
    const parts = await read(bytes, size);
    assert.deepEqual(
      parts.map(({ kind }) => kind),
      ['header', 'key', 'entry', 'entry', 'entry', 'end'],
    );
    assert.deepEqual(parts[0], { kind: 'header', header });
    const entries = parts.flatMap((part) => (part.kind === 'entry' ? [[part.key, part.value]] : []));
    assert.deepEqual(entries, pages.flat());
  }
});

test('a truncated backup is refused, and so is one with trailing bytes', async () => {
  const bytes = await written();
  for (let length = 0; length < bytes.length; length += length < 700 ? 1 : 97)
    await assert.rejects(read(bytes.subarray(0, length)), { code: 'backup-damaged' }, `${length} bytes`);
  await assert.rejects(read(Buffer.concat([bytes, Buffer.from('x')])), { code: 'backup-damaged' });
});

test('a flipped bit is found anywhere', async () => {
  const bytes = await written();
  // The MAC at its end is verified by the holder of the master key.
  const end = bytes.length - '00"}'.length;
  for (let at = 0; at < end; at += at < 700 ? 1 : 53) {
    const flipped = Buffer.from(bytes);
    flipped.writeUInt8(flipped.readUInt8(at) ^ 0x10, at);
    await assert.rejects(read(flipped), `byte ${at}`);
  }
});
