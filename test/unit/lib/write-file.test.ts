import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { replaceDurably } from '../../../daemon/lib/durable.ts';
import { createNewFile, replaceFile, writeOutput } from '../../../daemon/lib/write-file.ts';
import { inNamespace } from '../../support/rig/namespace.ts';

/** Each way to write a file, on each kind of file that its path may name. */

const mebibyte = 1024 * 1024;
const output = (path: string, text = 'new') => writeOutput(path, text, { mode: 0o644 });
const replace = (path: string, links: 'follow' | 'refuse', text = 'new') =>
  replaceFile(path, text, { mode: 0o600, links });
const create = async (path: string, text = 'new') => {
  const file = await createNewFile(path);
  try {
    await file.write(text);
    await file.finish();
  } catch (error) {
    await file.abandon();
    throw error;
  }
};
/** All that replace something. */
const replacing: readonly (readonly [string, (path: string, text?: string) => void])[] = [
  ['an output', output],
  ['a replacement', (path, text) => replace(path, 'refuse', text)],
  ['a replacement that follows links', (path, text) => replace(path, 'follow', text)],
  ['a file of the daemon', (path, text = 'new') => replaceDurably(path, Buffer.from(text))],
];

await inNamespace(import.meta.filename, async () => {
  // Devices work here, and the space is limited.
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-write-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=700', 'tmpfs', directory]);
  let made = 0;
  const place = (): string => {
    const path = join(directory, `case-${++made}`);
    mkdirSync(path);
    return path;
  };
  const only = (dir: string, ...names: string[]) => assert.deepEqual(readdirSync(dir).sort(), names.sort());

  for (const [what, write] of replacing) {
    describe(what, () => {
      it('replaces a regular file in one step, and leaves no other file', () => {
        const dir = place();
        writeFileSync(join(dir, 'file'), 'old');
        const before = lstatSync(join(dir, 'file')).ino;
        write(join(dir, 'file'));
        assert.equal(readFileSync(join(dir, 'file'), 'utf8'), 'new');
        assert.notEqual(lstatSync(join(dir, 'file')).ino, before);
        only(dir, 'file');
      });

      it('creates a missing file', () => {
        const dir = place();
        write(join(dir, 'file'));
        assert.equal(readFileSync(join(dir, 'file'), 'utf8'), 'new');
        only(dir, 'file');
      });

      it('keeps a pipe, a socket, a directory and a block device unchanged', async () => {
        const dir = place();
        execFileSync('mkfifo', [join(dir, 'pipe')]);
        execFileSync('mknod', [join(dir, 'block'), 'b', '7', '250']);
        mkdirSync(join(dir, 'directory'));
        const server = createServer().listen(join(dir, 'socket'));
        await new Promise((resolve) => server.once('listening', resolve));
        try {
          for (const name of ['pipe', 'block', 'directory', 'socket']) {
            const before = lstatSync(join(dir, name));
            assert.throws(() => write(join(dir, name)), /it is a (pipe|block device|directory|socket)/, name);
            const after = lstatSync(join(dir, name));
            assert.deepEqual([after.ino, after.mode], [before.ino, before.mode], name);
          }
          only(dir, 'block', 'directory', 'pipe', 'socket');
        } finally {
          server.close();
        }
      });

      it('keeps only the old file on a full disk', () => {
        const dir = place();
        writeFileSync(join(dir, 'file'), 'old');
        assert.throws(() => write(join(dir, 'file'), 'x'.repeat(3 * mebibyte)), { code: 'ENOSPC' });
        assert.equal(readFileSync(join(dir, 'file'), 'utf8'), 'old');
        only(dir, 'file');
      });

      it('fails in a directory that is not writable, and in one that does not exist', () => {
        const dir = place();
        execFileSync('mount', ['--bind', dir, dir]);
        execFileSync('mount', ['-o', 'remount,bind,ro', dir]);
        assert.throws(() => write(join(dir, 'file')), { code: 'EROFS' });
        assert.throws(() => write(join(dir, 'none/file')), { code: 'ENOENT' });
        only(dir);
      });
    });
  }

  describe('an output', () => {
    it('is written to a device, which stays one', () => {
      const dir = place();
      execFileSync('mknod', ['-m', '0666', join(dir, 'null'), 'c', '1', '3']);
      output(join(dir, 'null'));
      const after = lstatSync(join(dir, 'null'));
      assert.ok(after.isCharacterDevice());
      assert.deepEqual([after.rdev, after.mode & 0o777], [0x103, 0o666]);
      only(dir, 'null');
    });

    it('reports the error of the device', () => {
      const dir = place();
      execFileSync('mknod', [join(dir, 'full'), 'c', '1', '7']);
      assert.throws(() => output(join(dir, 'full')), { code: 'ENOSPC' });
      assert.ok(lstatSync(join(dir, 'full')).isCharacterDevice());
    });
  });

  describe('a replacement', () => {
    it('rejects a device', () => {
      const dir = place();
      execFileSync('mknod', [join(dir, 'null'), 'c', '1', '3']);
      for (const links of ['follow', 'refuse'] as const)
        assert.throws(() => replace(join(dir, 'null'), links), /it is a device/);
      assert.throws(() => replaceDurably(join(dir, 'null'), Buffer.from('new')), /it is a device/);
      assert.ok(lstatSync(join(dir, 'null')).isCharacterDevice());
      only(dir, 'null');
    });

    it('has its mode from the first moment on, or a stricter one', () => {
      const dir = place();
      writeFileSync(join(dir, 'file'), 'old', { mode: 0o666 });
      const modes: number[] = [];
      const ready = (path: string) => modes.push(lstatSync(path).mode & 0o777);
      replaceFile(join(dir, 'file'), 'new', { mode: 0o640, links: 'refuse', ready });
      assert.deepEqual(modes, [0o640]);
      assert.equal(lstatSync(join(dir, 'file')).mode & 0o777, 0o640);
    });
  });

  describe('a link', () => {
    const linked = (): string => {
      const dir = place();
      mkdirSync(join(dir, 'elsewhere'));
      writeFileSync(join(dir, 'elsewhere/file'), 'old');
      symlinkSync('elsewhere/file', join(dir, 'link'));
      symlinkSync('elsewhere/none', join(dir, 'dangling'));
      return dir;
    };

    it('is neither followed nor replaced by an output', () => {
      const dir = linked();
      for (const name of ['link', 'dangling'])
        assert.throws(() => output(join(dir, name)), /it is a link to elsewhere\/(file|none)/);
      assert.equal(readFileSync(join(dir, 'elsewhere/file'), 'utf8'), 'old');
      assert.equal(readlinkSync(join(dir, 'link')), 'elsewhere/file');
      only(join(dir, 'elsewhere'), 'file');
    });

    it('to a device is not followed either', () => {
      const dir = place();
      symlinkSync('/dev/null', join(dir, 'link'));
      assert.throws(() => output(join(dir, 'link')), /it is a link to \/dev\/null/);
    });

    it('stays a link if it is to be followed, and its target is replaced', () => {
      const dir = linked();
      replace(join(dir, 'link'), 'follow');
      assert.equal(readlinkSync(join(dir, 'link')), 'elsewhere/file');
      assert.equal(readFileSync(join(dir, 'elsewhere/file'), 'utf8'), 'new');
      only(join(dir, 'elsewhere'), 'file');
      assert.throws(() => replace(join(dir, 'dangling'), 'follow'), /elsewhere\/none, which is not there/);
      only(join(dir, 'elsewhere'), 'file');
    });

    it('in the directory of the daemon is replaced itself', () => {
      const dir = linked();
      replaceDurably(join(dir, 'link'), Buffer.from('new'));
      assert.ok(lstatSync(join(dir, 'link')).isFile());
      assert.equal(readFileSync(join(dir, 'elsewhere/file'), 'utf8'), 'old');
    });
  });

  describe('a new file', () => {
    it('is readable only by its owner', async () => {
      const dir = place();
      await create(join(dir, 'file'));
      assert.equal(readFileSync(join(dir, 'file'), 'utf8'), 'new');
      assert.equal(lstatSync(join(dir, 'file')).mode & 0o777, 0o600);
    });

    it('replaces nothing', async () => {
      const dir = place();
      writeFileSync(join(dir, 'file'), 'old');
      symlinkSync('none', join(dir, 'dangling'));
      mkdirSync(join(dir, 'directory'));
      execFileSync('mknod', [join(dir, 'null'), 'c', '1', '3']);
      execFileSync('mkfifo', [join(dir, 'pipe')]);
      const cases: readonly (readonly [string, RegExp])[] = [
        ['file', /is there already, and nothing is overwritten/],
        ['dangling', /it is a link to none/],
        ['directory', /it is a directory/],
        ['null', /it is a device/],
        ['pipe', /it is a pipe/],
      ];
      for (const [name, why] of cases) await assert.rejects(create(join(dir, name)), why);
      assert.equal(readFileSync(join(dir, 'file'), 'utf8'), 'old');
      only(dir, 'dangling', 'directory', 'file', 'null', 'pipe');
    });

    it('is removed if it cannot be finished', async () => {
      const dir = place();
      await assert.rejects(create(join(dir, 'file'), 'x'.repeat(3 * mebibyte)), { code: 'ENOSPC' });
      only(dir);
    });

    it('replaced meanwhile is not removed', async () => {
      const dir = place();
      const file = await createNewFile(join(dir, 'file'));
      replace(join(dir, 'file'), 'refuse', 'of another');
      await file.abandon();
      assert.equal(readFileSync(join(dir, 'file'), 'utf8'), 'of another');
    });
  });
});
