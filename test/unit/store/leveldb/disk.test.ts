import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';

const support = join(import.meta.dirname, '../../../support');

/** Runs a script in a separate mount namespace; its mounts disappear with it. */
async function inNamespace(script: string, directory: string): Promise<void> {
  const child = spawn(
    'unshare',
    ['-m', '--propagation', 'private', 'bash', '-euc', script, 'bash', process.execPath, support, directory],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let out = '';
  child.stdout.on('data', (bytes) => {
    out += bytes;
  });
  child.stderr.on('data', (bytes) => {
    out += bytes;
  });
  const [status] = await once(child, 'close');
  assert.equal(status, 0, out);
}

describe('a disk that fails', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sallyport-disk-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const onSmallDisk = (scenario: string): Promise<void> =>
    inNamespace(
      `mount -t tmpfs -o size=3m tmpfs "$3"; "$1" "$2/store-scenarios.js" ${scenario} "$3"`,
      directory,
    );

  it('and is full while running: reads continue, and writes recover by themselves', () =>
    onSmallDisk('full-while-running'));

  it('and is full at the start: the reserve is released', () => onSmallDisk('full-at-start'));

  it('and is full without a reserve: refused, and nothing is lost', () =>
    onSmallDisk('full-at-start-without-reserve'));

  it('and is read-only: refused, and nothing is lost', () =>
    inNamespace('mount -t tmpfs tmpfs "$3"; "$1" "$2/store-scenarios.js" read-only "$3"', directory));

  it('and cannot sync for a while: a refused commit may be stored, and the store recovers by itself', () =>
    inNamespace(
      'mount -t tmpfs tmpfs "$3"; strace -f -qq -e trace=fdatasync -e inject=fdatasync:error=EIO:when=12..16 -E UV_THREADPOOL_SIZE=1 ' +
        '-o /dev/null "$1" "$2/store-scenarios.js" failing-syncs "$3"',
      directory,
    ));

  it('and loses power: the store recovers with everything that was acknowledged', async () => {
    await inNamespace(POWER_CUTS, directory);
  });
});

/**
 * The ext4 shutdown ioctl without flushing (EXT4_IOC_SHUTDOWN, flag 2): only synced data is left. What was acknowledged
 * before the call counts: an fdatasync that is under way may return success without effect.
 */
const POWER_CUTS = `
node=$1 support=$2 directory=$3
truncate -s 48M "$directory/image"
mkfs.ext4 -q -m 0 "$directory/image"
mkdir "$directory/disk"
mount -o loop "$directory/image" "$directory/disk"
mkdir "$directory/disk/all"
"$node" "$support/store-create.js" "$directory/disk/all"
for round in 1 2 3; do
  : > "$directory/acknowledged"
  "$node" "$support/store-writer.js" "$directory/disk/all" >> "$directory/acknowledged" 2> "$directory/errors" &
  writer=$!
  for wait in $(seq 600); do
    test "$(wc -l < "$directory/acknowledged")" -gt $((100 * round)) && break
    sleep 0.05
  done
  cp "$directory/acknowledged" "$directory/before"
  perl -e 'open my $d, "<", $ARGV[0] or die; ioctl $d, 0x8004587D, my $flag = pack "I", 2 or die' "$directory/disk"
  kill -9 $writer 2>/dev/null || true
  wait $writer || true
  umount "$directory/disk"
  mount -o loop "$directory/image" "$directory/disk"
  test "$("$node" "$support/store-check.js" "$directory/disk/all" "$directory/before")" -gt 50
done
umount "$directory/disk"
`;
