import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { moduleDirectory, repoRoot, shippedModule, sourcesOf } from '../support/native.ts';

/** What a login program loads into its address space with the module. */
const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-exports-'));
let module = '';

before(async () => {
  module = await shippedModule(directory);
});
after(() => rmSync(directory, { recursive: true, force: true }));

function tool(name: string, ...args: readonly string[]): string {
  return execFileSync(name, [...args, module], { encoding: 'utf8' });
}

describe('pam_sallyport.so', () => {
  it('exports the six entry points and nothing else', () => {
    const names = tool('nm', '-D', '--defined-only').trim().split('\n');
    assert.deepEqual(names.map((line) => line.replace(/^\S+ T /, '')).sort(), [
      'pam_sm_acct_mgmt',
      'pam_sm_authenticate',
      'pam_sm_chauthtok',
      'pam_sm_close_session',
      'pam_sm_open_session',
      'pam_sm_setcred',
    ]);
  });

  it('needs libpam and libc and nothing else', () => {
    const needed = [...tool('readelf', '-d').matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name);
    assert.deepEqual(needed.sort(), ['libc.so.6', 'libpam.so.0']);
  });

  it('is bound at once, read-only after that, and has no stack to execute', () => {
    assert.match(tool('readelf', '-d'), /BIND_NOW/);
    assert.match(tool('readelf', '-lW'), /GNU_RELRO/);
    assert.match(tool('readelf', '-lW'), /GNU_STACK.*\bRW\b(?!E)/);
  });

  it('keeps no state: only the word that the C runtime keeps is writable', () => {
    const sizes = new Map(
      [...tool('size', '-A').matchAll(/^(\.\S+)\s+(\d+)/gm)].map(([, section, size]) => [
        section,
        Number(size),
      ]),
    );
    for (const section of ['.data', '.bss']) assert.ok((sizes.get(section) ?? 0) <= 8, section);
    for (const section of ['.tdata', '.tbss']) assert.equal(sizes.get(section), undefined);
  });

  it('is built from every source beside it, without the deadlines of the fuzzers', () => {
    const built = new Set(sourcesOf('pam_sallyport'));
    for (const name of readdirSync(moduleDirectory).filter((file) => file.endsWith('.c')))
      assert.ok(built.has(path.join(moduleDirectory, name)), name);
    assert.ok(!readFileSync(path.join(repoRoot, 'binding.gyp'), 'utf8').includes('SALLYPORT_FUZZING'));
  });
});
