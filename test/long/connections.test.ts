import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { compileShortAddon, sanitizerLibraries } from '../support/native.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-connections-'));
after(() => rmSync(directory, { recursive: true }));
let addon: string;
before(async () => {
  addon = await compileShortAddon(directory);
});

/** Runs a program with the addon under the sanitizers, while V8 collects garbage all the time. */
function run(program: string, ...argv: string[]): void {
  const modules = ['../../daemon/host/addon.js', '../support/connection-fuzz.js'];
  const [loader, fuzz] = modules.map((name) => JSON.stringify(join(import.meta.dirname, name)));
  const text = `
    import { loadAddon } from ${loader};
    import { echoConnections, fuzzConnections } from ${fuzz};
    const [file, directory, ...argv] = process.argv.slice(1);
    loadAddon(file);
    ${program}`;
  const child = spawnSync(
    process.execPath,
    ['--gc-interval=2000', '--input-type=module', '-e', text, addon, directory, ...argv],
    {
      encoding: 'utf8',
      env: {
        ...process.env,
        LD_PRELOAD: sanitizerLibraries(),
        // What V8 and Node leave behind at the end is theirs.
        ASAN_OPTIONS: 'detect_leaks=0',
      },
    },
  );
  assert.deepEqual([child.status, child.signal, child.stderr], [0, null, '']);
}

it('connections survive clients and users that do anything, and sends that are cut short', () => {
  run(`
    for (let seed = 1; seed <= 10; seed += 1)
      await fuzzConnections({ path: directory + '/fuzz', seed, rounds: 300 });`);
});

it('what is sent in many parts arrives in order', () => {
  run(`
    for (let seed = 1; seed <= 5; seed += 1)
      await echoConnections({ path: directory + '/echo', seed, rounds: 50 });`);
});

it('workers and the process end while connections are open', () => {
  run(`
    const { Worker } = await import('node:worker_threads');
    const program = ${JSON.stringify(`
      const { workerData, parentPort } = require('node:worker_threads');
      const { connect } = require('node:net');
      const addon = require(workerData.file);
      addon.startLookups({ threads: 1, queue: 1 });
      let count = 0;
      const native = new addon.Connections(addon.listenAt(workerData.path, 8), (event, descriptor) => {
        if (event !== 0 || ++count < 3) return;
        if (workerData.how === 0) process.exit(7);
        parentPort.postMessage('open');
        if (workerData.how === 1) { native.stop(); native.close(descriptor); }
      });
      for (let each = 0; each < 3; each++) connect(workerData.path).on('error', () => undefined).unref();`)};
    for (let round = 0; round < 30; round += 1) {
      const workerData = { file, path: directory + '/worker' + round, how: round % 3 };
      const worker = new Worker(program, { eval: true, workerData, execArgv: [] });
      const ended = new Promise((resolve) => worker.once('exit', resolve));
      if (workerData.how !== 0) {
        await new Promise((resolve) => worker.once('message', resolve));
        await worker.terminate();
      }
      await ended;
    }
    new (loadAddon().Connections)(loadAddon().listenAt(directory + '/last', 8), () => undefined);
    process.exit(0);`);
});
