import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** The command as it is built beside these tests. */
export const cliMain = join(import.meta.dirname, '../../cli/main.js');

export interface CliRun {
  readonly status: number;
  /** Standard output and standard error. */
  readonly out: string;
  readonly err: string;
  /** Standard output by lines, without the last line's end. */
  readonly lines: readonly string[];
}

export function startCli(
  words: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): ChildProcessWithoutNullStreams {
  const { NO_COLOR: _, ...env } = process.env;
  const child = spawn(process.execPath, [cliMain, ...words], {
    env: { ...env, TZ: 'Europe/Paris', ...environment },
  });
  child.stdin.on('error', () => undefined);
  return child;
}

/** Runs the command to its end, in a pipe. */
export async function runCli(words: readonly string[], input = ''): Promise<CliRun> {
  const child = startCli(words);
  child.stdin.end(input);
  const ended = new Promise<number>((resolve) => child.once('close', (status) => resolve(status ?? -1)));
  const [out, err, status] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { status, out, err, lines: out.split('\n').slice(0, -1) };
}
