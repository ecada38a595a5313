import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Progress goes to stderr: stdout belongs to what the command is for. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/** Ends the command with a message for people. */
export function stop(message) {
  say(message);
  process.exit(1);
}

/** Runs a step in the project's folder and shows what it printed only when it failed. */
export function step(title, command, args) {
  say(title);
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (status === 0) return;
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
  stop(`failed: ${[command, ...args].join(' ')}${error === undefined ? '' : ` (${error.message})`}`);
}

/**
 * Runs the program that a command is for, and ends as it ends. ^C reaches it from the terminal by itself;
 * this process only waits, so that the terminal is not given back too early.
 */
export function become(command, args, stdin = 'inherit') {
  const child = spawn(command, args, { cwd: root, stdio: [stdin, 'inherit', 'inherit'] });
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => stop(`cannot run ${command}: ${error.message}`));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
  });
}
