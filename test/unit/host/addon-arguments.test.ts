import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

/**
 * Every function of the addon with invalid arguments, in a separate process: the answer is always an Error with a code,
 * and never the end of the daemon.
 */
const program = `
  const { addonFile } = await import(process.argv[1]);
  const { createRequire } = await import('node:module');
  const addon = createRequire(process.argv[1])(addonFile());
  const values = [
    undefined, null, true, false, 0, -1, 1.5, 99999, 2 ** 31, 2 ** 32, 2 ** 53, NaN, Infinity, -0, 10n, Symbol('x'),
    '', 'a\\0b', '\\ud800', 'x'.repeat(100000), [], {}, [1], ['x', null], new Array(2 ** 32 - 1), () => 1, new Date(0),
    Object.create(null), new Proxy({}, {}), new Proxy([], {}), new Proxy(() => 1, {}), Buffer.alloc(8), new Map(),
    { name: 1 }, { name: 'x', uid: 1 }, { uid: -1 }, { uid: 2 ** 32 - 1 }, { name: 'a\\0b' }, { threads: 0, queue: 1 },
    { threads: 1e9, queue: 1 }, { threads: 1 }, { get name() { throw Object.assign(new Error('mine'), { code: 'mine' }); } },
    { get threads() { throw Object.assign(new Error('mine'), { code: 'mine' }); } }, { release() {} },
  ];
  const left = [];
  async function tryOne(name, args) {
    try {
      const result = name === 'Connections' ? new addon.Connections(...args) : addon[name](...args);
      if (result instanceof Promise) await result;
      left.push(name + ' ' + args.map(String).join(', '));
    } catch (error) {
      if (!(error instanceof Error) || typeof error.code !== 'string') {
        left.push(name + ' threw ' + String(error));
      }
      if (error.code === 'ERR_INVALID_ARG_TYPE' && !(error instanceof TypeError)) left.push(name + ' is no TypeError');
    }
  }
  delete process.env.NOTIFY_SOCKET;
  const names = Object.keys(addon).filter((name) => typeof addon[name] === 'function');
  for (const started of [false, true]) {
    if (started) addon.startLookups({ threads: 2, queue: 10 });
    for (const name of names) {
      await tryOne(name, []);
      for (const first of values) {
        // notify takes text, setDumpable a flag.
        if (name === 'notify' && typeof first === 'string' && !first.includes('\\0')) continue;
        if (name === 'setDumpable' && typeof first === 'boolean') continue;
        // 0 is stdin, which is a socket here.
        if ((name === 'closeOnExec' || name === 'peerCredentials') && first === 0) continue;
        // A function is an object with a name.
        if (name === 'localAccount' && typeof first === 'function') continue;
        await tryOne(name, [first]);
      }
    }
    for (const groups of values) {
      if (Array.isArray(groups) && groups.length === 0) continue;
      await tryOne('lookupAccount', [{ name: 'root' }, groups, 1000]);
    }
    for (const wait of values) {
      if (wait === 0 || wait === 99999) continue;
      await tryOne('lookupAccount', [{ name: 'root' }, [], wait]);
    }
  }
  const lock = addon.lockFile(process.argv[2]);
  for (const impostor of [Object.create(lock), { __proto__: lock }, new Proxy(lock, {}), { ...lock }]) {
    await tryOne('lockIsHeld', [impostor]);
  }
  const { release } = lock;
  release.call(undefined); release.call(null); Reflect.apply(release, 7, [1, 2]);
  if (addon.lockIsHeld(lock)) left.push('the lock is still held');
  try { new addon.lockFile(process.argv[2]); } catch {}
  console.log(JSON.stringify({ functions: names.length, left }));`;

test('wrong arguments are errors with a code', () => {
  const module = join(import.meta.dirname, '../../../daemon/host/addon.js');
  const lock = join(process.env.TMPDIR ?? '/tmp', `sallyport-arguments-${process.pid}.lock`);
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', program, module, lock], {
    encoding: 'utf8',
  });
  spawnSync('rm', ['-f', lock]);
  assert.deepEqual([run.status, run.signal, run.stderr], [0, null, '']);
  assert.deepEqual(JSON.parse(run.stdout), { functions: 17, left: [] });
});
