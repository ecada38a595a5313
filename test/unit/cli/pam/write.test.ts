import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { removeDurably, writeAtomically } from '../../../../cli/pam/write.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-write-'));
after(() => rmSync(directory, { recursive: true }));
const path = (name: string) => join(directory, name);

describe('a file that decides who may log in', () => {
  it('keeps its mode and owner, and is another file on disk', () => {
    writeFileSync(path('sshd'), 'old\n');
    chmodSync(path('sshd'), 0o640);
    chownSync(path('sshd'), 0, 3000);
    const before = statSync(path('sshd'));
    writeAtomically(path('sshd'), 'new\n');
    const now = statSync(path('sshd'));
    assert.equal(readFileSync(path('sshd'), 'utf8'), 'new\n');
    assert.deepEqual([now.mode, now.uid, now.gid], [before.mode, 0, 3000]);
    assert.notEqual(now.ino, before.ino);
  });

  it('is root’s and readable where it is new', () => {
    writeAtomically(path('fresh'), 'text');
    assert.equal(statSync(path('fresh')).mode & 0o7777, 0o644);
  });

  it('stays a link where it is one', () => {
    writeFileSync(path('behind'), 'old');
    symlinkSync('behind', path('link'));
    writeAtomically(path('link'), 'new');
    assert.ok(lstatSync(path('link')).isSymbolicLink());
    assert.equal(readFileSync(path('behind'), 'utf8'), 'new');
  });

  it('holds every byte as it was', () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    writeAtomically(path('bytes'), bytes.toString('latin1'));
    assert.deepEqual(readFileSync(path('bytes')), bytes);
  });

  it('leaves nothing beside it, and may be gone already', () => {
    removeDurably(path('fresh'));
    removeDurably(path('fresh'));
    assert.deepEqual(
      readdirSync(directory).filter((name) => name.includes('sallyport')),
      [],
    );
  });
});
