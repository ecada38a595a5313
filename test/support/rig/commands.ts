import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Runs a short command of the rig itself; throws with all that it said. */
export function must(program: string, argv: readonly string[], input = ''): string {
  const run = spawnSync(program, argv, { input, encoding: 'utf8' });
  if (run.status !== 0)
    throw new Error(
      `${program} ${argv.join(' ')}: status ${run.status} ${run.error ?? ''}\n${run.stdout}${run.stderr}`,
    );
  return run.stdout;
}

export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end without blocking the tests beside it; SIGKILL after `timeout`. */
export function run(
  program: string,
  argv: readonly string[],
  { input = '', timeout = 90_000 }: { readonly input?: string; readonly timeout?: number } = {},
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv, { timeout, killSignal: 'SIGKILL' });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    // A program may end without reading its input.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** Waits for a condition; the tests never sleep for a result. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  ms = 45_000,
): Promise<void> {
  const end = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited ${ms} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** One line of /proc/net/unix for each end that has this path: the listener, and one for each connection. */
function socketsAt(path: string): string[][] {
  const lines = readFileSync('/proc/net/unix', 'utf8').split('\n');
  return lines.filter((line) => line.endsWith(` ${path}`)).map((line) => line.trim().split(/\s+/));
}

const acceptsConnections = '00010000';
const connected = '03';

export function someoneListens(path: string): boolean {
  return socketsAt(path).some((fields) => fields[3] === acceptsConnections);
}

export function connectionsAt(path: string): number {
  return socketsAt(path).filter((fields) => fields[5] === connected).length;
}
