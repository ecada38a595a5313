import { spawn } from 'node:child_process';
import type { Limits } from './limits.ts';

export type Outcome = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly why: string };

const environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
} as const;

/**
 * Runs the program once with `input` on its standard input.
 *
 * Invariants:
 * - no shell, and nothing of an event in its words or its environment;
 * - it ends: after its time limit, or at shutdown, it is killed with all its children;
 * - what it says costs a bounded amount of memory.
 */
export function runProgram(
  [program, ...words]: readonly [string, ...string[]],
  input: string,
  limits: Pick<Limits, 'run' | 'output'>,
  signal: AbortSignal,
): Promise<Outcome> {
  return new Promise((resolve) => {
    // A separate process group, so that all of it can be killed.
    const child = spawn(program, words, {
      detached: true,
      cwd: '/',
      env: environment,
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    let said = '';
    let killed: string | undefined;
    const kill = (why: string): void => {
      killed ??= why;
      killGroup(child.pid);
    };
    const timer = setTimeout(() => kill(`it took more than ${limits.run / 1_000} s`), limits.run);
    const stop = () => kill('sallyport-notify stops');
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    let isOver = false;
    const end = (outcome: Outcome): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      // Whatever it left behind goes with it, and so does what would keep its output open.
      killGroup(child.pid);
      child.stderr.destroy();
      child.stdin.destroy();
      resolve(outcome);
    };
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-limits.output);
    });
    child.stderr.on('error', () => undefined);
    // The program need not read its input.
    child.stdin.on('error', () => undefined);
    child.once('error', (error) => end({ kind: 'failed', why: `it cannot be run: ${error.message}` }));
    child.once('exit', (status, by) => {
      if (status === 0 && killed === undefined) end({ kind: 'done' });
      else
        end({
          kind: 'failed',
          why: `${killed ?? ended(status, by)}${said === '' ? '' : `: ${said.trim()}`}`,
        });
    });
    child.stdin.end(input);
  });
}

function ended(status: number | null, by: NodeJS.Signals | null): string {
  return by === null ? `it ended with ${status}` : `it was ended by ${by}`;
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing of it is left.
  }
}
