import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { nativeTests, repoRoot } from '../../support/native.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-sealing-'));
after(() => rmSync(directory, { recursive: true }));

/** The headers of Node, as the build found them. */
function nodeHeaders(): string {
  const text = readFileSync(join(repoRoot, 'build/config.gypi'), 'utf8').replace(/^#.*$/gm, '');
  const { nodedir } = (JSON.parse(text) as { variables: { nodedir: string } }).variables;
  return join(nodedir, 'include/node');
}

/** The sealing part of the addon under ASan and UBSan. */
function compileSealing(): string {
  const output = join(directory, 'sealing_addon.node');
  const sources = ['sealing.cc', 'arguments.cc'].map((name) => join(repoRoot, 'native/addon', name));
  const includes = [
    nodeHeaders(),
    join(repoRoot, 'node_modules/node-addon-api'),
    join(repoRoot, 'native/addon'),
  ];
  execFileSync('g++', [
    ...['-std=c++17', '-g', '-O1', '-fPIC', '-shared', '-Wall', '-Wextra', '-Werror'],
    ...['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer'],
    ...['-DNAPI_VERSION=9', '-DNODE_ADDON_API_CPP_EXCEPTIONS', '-DNODE_GYP_MODULE_NAME=sealing_addon'],
    // As system headers: their warnings do not matter here.
    ...includes.slice(0, 2).flatMap((path) => ['-isystem', path]),
    `-I${includes[2]}`,
    ...sources,
    join(nativeTests, 'sealing_addon.cc'),
    ...['-o', output],
  ]);
  return output;
}

const program = `
  import assert from 'node:assert/strict';
  import { createRequire } from 'node:module';
  const { sealingKey, sealWith, openWith, hmacSha256 } = createRequire(process.argv[1])(process.argv[1]);
  const recordKey = Buffer.from('alice');
  const slow = (length, value = 0) => Buffer.alloc(length, value);
  for (let length = 0; length < 100; length += 1) {
    const key = sealingKey('record', slow(32, length));
    const plaintext = slow(length * length, 1);
    const envelope = slow(12 + 12 + plaintext.length + 16, 2);
    sealWith(key, recordKey, envelope, 12, plaintext);
    const opened = slow(plaintext.length);
    assert.equal(openWith(key, recordKey, envelope, 12, opened), true);
    assert.deepEqual(opened, plaintext);
    for (const at of [0, 12, envelope.length - 1]) {
      envelope[at] ^= 1;
      opened.fill(3);
      assert.equal(openWith(key, recordKey, envelope, 12, opened), false);
      assert.ok(opened.every((byte) => byte === 0), 'wiped');
      envelope[at] ^= 1;
    }
    assert.equal(openWith(key, slow(0), envelope, 12, opened), false);
    assert.equal(openWith(key, recordKey, envelope, 12, opened), true);
    for (const [header, room] of [[11, 0], [13, 0], [12, 1], [65536, 0], [-1, 0], [1e9, 0]])
      for (const call of [sealWith, openWith])
        assert.throws(() => call(key, recordKey, envelope, header, slow(plaintext.length + room)), TypeError);
  }
  const key = sealingKey('record', slow(32));
  for (const other of [slow(31), slow(33), slow(0), 'x'.repeat(32), undefined])
    assert.throws(() => sealingKey('record', other), TypeError);
  assert.throws(() => sealingKey('x'.repeat(256), slow(32)), TypeError);
  for (const other of [undefined, {}, [], new Proxy(key, {}), Object.create(key)])
    assert.throws(() => sealWith(other, recordKey, slow(28), 0, slow(0)), TypeError);
  for (const other of [undefined, 'text', {}, new ArrayBuffer(8)])
    for (const call of [sealWith, openWith]) {
      assert.throws(() => call(key, other, slow(28), 0, slow(0)), TypeError);
      assert.throws(() => call(key, recordKey, other, 0, slow(0)), TypeError);
      assert.throws(() => call(key, recordKey, slow(28), 0, other), TypeError);
    }
  hmacSha256(slow(1), slow(0), slow(32));
  assert.throws(() => hmacSha256(slow(32), slow(1), slow(31)), TypeError);
  // Collected keys are freed.
  for (let round = 0; round < 3; round += 1) {
    globalThis.gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  console.log('whole');
`;

describe('sealing under the sanitizers', () => {
  it('keeps within its buffers, whatever lengths and arguments it gets', () => {
    const libraries = ['libasan.so', 'libubsan.so'].map((name) =>
      execFileSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim(),
    );
    const args = ['--expose-gc', '--input-type=module', '--eval', program, '--', compileSealing()];
    const { stdout, stderr } = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      // Node itself frees little at its end.
      env: { ...process.env, LD_PRELOAD: libraries.join(':'), ASAN_OPTIONS: 'detect_leaks=0' },
    });
    assert.equal(stdout, 'whole\n', stderr);
  });
});
