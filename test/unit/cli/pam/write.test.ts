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

describe('a file that controls logins', () => {
  it('keeps its mode and owner, and is a new file on disk', () => {
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

  it('belongs to root and is readable if it is new', () => {
    writeAtomically(path('fresh'), 'text');
    assert.equal(statSync(path('fresh')).mode & 0o7777, 0o644);
  });

  it('stays a link if it is one', () => {
    writeFileSync(path('behind'), 'old');
    symlinkSync('behind', path('link'));
    writeAtomically(path('link'), 'new');
    assert.ok(lstatSync(path('link')).isSymbolicLink());
    assert.equal(readFileSync(path('behind'), 'utf8'), 'new');
  });

  it('keeps every byte', () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    writeAtomically(path('bytes'), bytes.toString('latin1'));
    assert.deepEqual(readFileSync(path('bytes')), bytes);
  });

  it('leaves no other file, and may be removed already', () => {
    removeDurably(path('fresh'));
    removeDurably(path('fresh'));
    assert.deepEqual(
      readdirSync(directory).filter((name) => name.includes('sallyport')),
      [],
    );
  });
});
