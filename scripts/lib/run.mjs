import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

/** The project's directory. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Progress goes to stderr: stdout belongs to what the command is for. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/** Ends the command with a message for the user. */
export function stop(message) {
  say(message);
  process.exit(1);
}

/** Shows progress on a terminal, from a separate process, since this one waits. It ends with this one. */
const ticking = `
const [title, parent] = process.argv.slice(1);
const began = Date.now();
setInterval(() => {
  if (process.ppid !== Number(parent)) process.exit();
  process.stderr.write('\\r' + title + ' ' + Math.round((Date.now() - began) / 1000) + ' s');
}, 1000);
`;

function moving(title) {
  if (process.stderr.isTTY !== true) {
    say(title);
    return () => {};
  }
  process.stderr.write(title);
  const words = ['-e', ticking, title, String(process.pid)];
  const ticker = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit'] });
  ticker.on('error', () => {});
  ticker.unref();
  return () => {
    ticker.kill('SIGKILL');
    say('');
  };
}

/** Runs a step in the project's directory and shows what it printed only when it failed. */
export function step(title, command, args) {
  const ended = moving(title);
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  ended();
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
