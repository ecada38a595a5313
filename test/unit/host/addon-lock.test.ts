import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { addonFile, loadAddon } from '../../../daemon/host/addon.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-lock-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const { lockFile, lockIsHeld } = loadAddon();
let number = 0;
const fresh = () => join(directory, `lock-${++number}`);

/** What another process gets when it tries to lock: "locked" or "free". */
function tryElsewhere(path: string): string {
  const program = `
    const { lockFile } = require(${JSON.stringify(addonFile())});
    try { lockFile(${JSON.stringify(path)}); console.log('free'); } catch (error) { console.log(error.code); }`;
  return execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' }).trim();
}

/** A process that holds the lock until it is killed. */
async function holder(path: string): Promise<ChildProcess> {
  const program = `
    require(${JSON.stringify(addonFile())}).lockFile(${JSON.stringify(path)});
    console.log('held'); setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

test('one process holds the lock, a second is told so, and it is free once the first has ended', async () => {
  const path = fresh();
  const child = await holder(path);
  assert.throws(() => lockFile(path), { code: 'locked' });
  child.kill('SIGKILL');
  await once(child, 'exit');
  const lock = lockFile(path);
  assert.equal(tryElsewhere(path), 'locked');
  lock.release();
  assert.equal(tryElsewhere(path), 'free');
});

test('a second lock in the same process is refused too', () => {
  const path = fresh();
  const lock = lockFile(path);
  assert.throws(() => lockFile(path), { code: 'locked' });
  lock.release();
  lockFile(path).release();
});

test('opening and closing the file does not lose the lock', () => {
  const path = fresh();
  const lock = lockFile(path);
  closeSync(openSync(path, 'r+'));
  readFileSync(path);
  assert.equal(lockIsHeld(lock), true);
  assert.equal(tryElsewhere(path), 'locked');
  lock.release();
});

test('an unreferenced handle keeps the lock', () => {
  const path = fresh();
  lockFile(path);
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  assert.equal(tryElsewhere(path), 'locked');
});

test('children do not inherit the lock', () => {
  const path = fresh();
  const lock = lockFile(path);
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  lock.release();
  assert.equal(tryElsewhere(path), 'free');
  child.kill('SIGKILL');
});

test('a lock whose file was removed or replaced is lost, and says so', () => {
  const path = fresh();
  const lock = lockFile(path);
  assert.equal(lockIsHeld(lock), true);
  renameSync(path, `${path}.old`);
  assert.equal(lockIsHeld(lock), false);
  writeFileSync(path, '');
  assert.equal(lockIsHeld(lock), false);
  unlinkSync(path);
  // The file itself, under its former name, is the locked one.
  renameSync(`${path}.old`, path);
  assert.equal(lockIsHeld(lock), true);
  lock.release();
  assert.equal(lockIsHeld(lock), false);
  lock.release();
});

test('the lock file belongs to its owner, and a relative path means this directory', () => {
  const path = fresh();
  const lock = lockFile(relative(process.cwd(), path));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(lockIsHeld(lock), true);
  lock.release();
});

test('only regular files are locked, and nothing is written', () => {
  const target = fresh();
  writeFileSync(target, 'kept');
  const [link, dangling, pipe, directory] = [fresh(), fresh(), fresh(), fresh()];
  symlinkSync(target, link);
  symlinkSync(join(directory, 'nowhere'), dangling);
  execFileSync('mkfifo', [pipe]);
  mkdirSync(directory);
  assert.throws(() => lockFile(link), { code: 'ELOOP' });
  assert.throws(() => lockFile(dangling), { code: 'ELOOP' });
  assert.throws(() => lockFile(pipe), { code: 'not-a-file' });
  assert.throws(() => lockFile(directory), { code: 'EISDIR' });
  assert.throws(() => lockFile(join(directory, 'none', 'lock')), { code: 'ENOENT' });
  assert.equal(readFileSync(target, 'utf8'), 'kept');
});
