import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { base32, hotp } from '../support/codes.ts';
import { drive } from '../support/drive.ts';
import { compileC } from '../support/native.ts';
import { work } from '../support/rig/machine.ts';
import { inNamespace } from '../support/rig/namespace.ts';
import { prepare, scenario } from '../support/rig/scenario.ts';
import { writeProvenStack } from '../support/rig/stack.ts';

/**
 * Imports 100 000 accounts of a CSV through the real daemon and its store: all are imported, the memory of the CLI is
 * bounded, a second import changes nothing, and logins continue meanwhile.
 */
const people = 100_000;
/** Node itself takes some 60 MiB; the file has 11 MiB, and keeping it would take as much. */
const mostMegabytes = 200;
const nameOf = (index: number): string => `user${index}`;
const secretOf = (index: number): Buffer => Buffer.from(`the secret of ${index}`.padEnd(20, '.'));

/** Accounts are not searched for from the top of a file. @returns where sallyportd finds them */
function addPeople(): NodeJS.ProcessEnv {
  const directory = `${work}/nss`;
  mkdirSync(directory);
  compileC('nss_many.c', `${directory}/libnss_many.so.2`, [
    '-shared',
    '-fPIC',
    '-Wl,-soname,libnss_many.so.2',
  ]);
  const text = readFileSync('/etc/nsswitch.conf', 'utf8');
  writeFileSync('/etc/nsswitch.conf', text.replace(/^passwd:.*$/m, 'passwd: files many'));
  return { LD_LIBRARY_PATH: directory };
}

function writeCsv(path: string): void {
  const file = openSync(path, 'wx', 0o600);
  writeSync(file, 'user,kind,secret,counter,name\n');
  for (let first = 0; first < people; first += 1_000) {
    const rows = Array.from({ length: 1_000 }, (_, at) => {
      const index = first + at;
      return `${nameOf(index)},hotp,${base32(secretOf(index))},${index % 100},"token, ${index}"\n`;
    });
    writeSync(file, rows.join(''));
  }
  closeSync(file);
}

interface Run {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
  /** Peak memory, in MiB. */
  readonly peak: number;
  readonly seconds: number;
}

/** A run whose peak memory the kernel has recorded. */
async function watched(argv: readonly string[]): Promise<Run> {
  const started = performance.now();
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err, peak] = ['', '', 0];
  child.stdout.on('data', (text: Buffer) => {
    out += text;
  });
  child.stderr.on('data', (text: Buffer) => {
    err += text;
  });
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      peak = Math.max(peak, Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1_024);
    } catch {
      // It has ended.
    }
  }, 20);
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearInterval(timer);
  return { status, out, err, peak, seconds: (performance.now() - started) / 1_000 };
}

await inNamespace(import.meta.filename, async () => {
  const product = await prepare('[[realm]]\nname = "all"\nrequire = ["totp"]\n');
  writeProvenStack('code');
  mkdirSync(`${work}/large`);
  const csv = `${work}/large/all.csv`;

  /** With the code that was used there, and the next one. */
  const login = async (index: number): Promise<readonly boolean[]> => {
    const answers = [-1, 0].map((ahead) => hotp(secretOf(index), (index % 100) + ahead));
    const tries = await drive('code', [{ user: nameOf(index), answers }]);
    return tries.map(({ result }) => result === 0);
  };

  scenario(
    product,
    '100 000 accounts',
    async () => {
      // A process that has read the configuration of the name service does not read it again.
      await product.stop();
      await product.start(addPeople());
      writeCsv(csv);
      const busy = nameOf(people);
      const secret = await product.addHotp(busy);
      const [done, logins] = await Promise.all([
        watched(product.command(['import', 'csv', csv])),
        drive('code', [{ user: busy, answers: Array.from({ length: 200 }, (_, at) => hotp(secret, at)) }]),
      ]);
      console.log(`${people} accounts in ${done.seconds.toFixed(1)} s, ${done.peak.toFixed(0)} MiB`);
      assert.equal(done.status, 0, done.err.slice(-2_000) + done.out.slice(-2_000));
      assert.match(done.err, /100000 accounts: 100000 factors added/);
      assert.ok(
        logins.every(({ result }) => result === 0),
        'people log in meanwhile',
      );
      assert.ok(done.peak < mostMegabytes, `${done.peak} MiB`);

      for (const index of [1, 50_042, 99_999]) assert.deepEqual(await login(index), [false, true]);
      const again = await watched(product.command(['import', 'csv', csv]));
      console.log(`once more in ${again.seconds.toFixed(1)} s, ${again.peak.toFixed(0)} MiB`);
      assert.equal(again.status, 0, again.err.slice(-2_000));
      assert.match(again.err, /0 factors added, 0 with a newer last-used counter, 100000 unchanged/);
      assert.ok(again.peak < mostMegabytes, `${again.peak} MiB`);

      const target = `${work}/large/back.csv`;
      const out = await watched(
        product.command(['export', '--all', '--format', 'csv', '-o', target, '--yes']),
      );
      console.log(`exported in ${out.seconds.toFixed(1)} s, ${out.peak.toFixed(0)} MiB`);
      assert.equal(out.status, 0, out.err.slice(-2_000));
      assert.equal(readFileSync(target, 'utf8').split('\n').length, people + 3);
      assert.ok(out.peak < mostMegabytes, `${out.peak} MiB`);
    },
    1_200_000,
  );
});
