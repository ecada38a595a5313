import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { constants } from 'node:os';

const marker = 'SALLYPORT_BENCH_FOLDER';
/** A disk also where /tmp lies in memory: what is measured is durable. */
const parent = '/var/tmp';

/** The directory that all of it lies in, inside; undefined outside. */
export function benchDirectory(): string | undefined {
  return process.env[marker];
}

/**
 * Starts this program once more, in mount, network and process namespaces of its own, and ends as it ends.
 * MUST hold here: whatever was started inside ends with it, and nothing of it stays on the disk.
 */
export async function enterNamespace(file: string, argv: readonly string[]): Promise<void> {
  const directory = mkdtempSync(`${parent}/sallyport-bench-`);
  try {
    process.exitCode = await runInside(file, argv, directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function runInside(file: string, argv: readonly string[], directory: string): Promise<number> {
  // setpriv: unshare must not outlive this process.
  const inside = spawn(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL'],
      ...['unshare', '--mount', '--propagation', 'private', '--net'],
      ...['--pid', '--fork', '--kill-child', '--mount-proc'],
      ...[process.execPath, file, ...argv],
    ],
    { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, [marker]: directory } },
  );
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => inside.kill('SIGKILL'));
  }
  return new Promise((resolve, reject) => {
    inside.once('error', reject);
    inside.once('exit', (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  });
}
