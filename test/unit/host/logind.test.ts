import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readSessionIsLocal } from '../../../daemon/host/logind.ts';
import { limits } from '../../../daemon/limits.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-sessions-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const sessionsDir = join(directory, 'sessions');
mkdirSync(sessionsDir);

const sessionIsLocal = (id: string) => readSessionIsLocal(id, sessionsDir);

const local =
  '# This is private data. Do not parse.\nUID=1000\nUSER=anna\nACTIVE=1\nSTATE=active\nREMOTE=0\nTTY=tty1\nSEAT=seat0\nCLASS=user\n';
let number = 0;

function session(text: string): string {
  const id = `c${++number}`;
  writeFileSync(join(sessionsDir, id), text);
  return id;
}

test('an active session that is not remote is local', async () => {
  assert.equal(await sessionIsLocal(session(local)), true);
});

test('any other content is not', async () => {
  const others = [
    local.replace('ACTIVE=1', 'ACTIVE=0'),
    local.replace('REMOTE=0', 'REMOTE=1'),
    local.replace('ACTIVE=1\n', ''),
    local.replace('REMOTE=0\n', ''),
    local.replace('ACTIVE=1', 'ACTIVE=yes'),
    `${local}REMOTE=1\n`,
    `${local}ACTIVE=1\n`,
    local.replaceAll('=', ' = '),
    local.replace('ACTIVE=1', 'XACTIVE=1'),
    '',
    '\0'.repeat(100),
    local + 'X=1\n'.repeat(20_000),
  ];
  for (const text of others) assert.equal(await sessionIsLocal(session(text)), false, text.slice(0, 150));
});

test('a session that does not exist, or whose name is invalid, is not local', async () => {
  const id = session(local);
  writeFileSync(join(directory, 'outside'), local);
  writeFileSync(join(sessionsDir, `${id}.ref`), local);
  mkdirSync(join(sessionsDir, 'directory'));
  symlinkSync(join(sessionsDir, id), join(sessionsDir, 'link'));
  execFileSync('mkfifo', [join(sessionsDir, 'pipe')]);
  const names = [
    '',
    '.',
    '..',
    '../outside',
    `./${id}`,
    `${id}.ref`,
    `${id}\0`,
    `${id}\n`,
    'none',
    'directory',
    'link',
  ];
  for (const name of [...names, 'pipe'])
    assert.equal(await sessionIsLocal(name), false, JSON.stringify(name));
});

test('the length of a name is limited', async () => {
  const longest = 'a'.repeat(limits.sessionLength);
  for (const id of [longest, `${longest}a`]) writeFileSync(join(sessionsDir, id), local);
  assert.equal(await sessionIsLocal(longest), true);
  assert.equal(await sessionIsLocal(`${longest}a`), false);
});
