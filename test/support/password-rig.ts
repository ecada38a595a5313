import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { field, frame } from './fake-daemon.ts';
import { number, sanitizerOptions } from './fido-rig.ts';
import {
  compileC,
  compileSources,
  hardenedLink,
  nativeTests,
  newestSource,
  repoRoot,
  sourcesOf,
  type Variant,
} from './native.ts';

export const passwordDirectory = path.join(repoRoot, 'native/password');
const target = 'sallyport-password';

/** Kept in build/ for as long as no source is newer. */
async function kept(name: string, newest: number, make: (output: string) => unknown) {
  const output = path.join(repoRoot, 'build/test', name);
  if (existsSync(output) && newest < statSync(output).mtimeMs) return output;
  mkdirSync(path.dirname(output), { recursive: true });
  const fresh = `${output}.${randomUUID()}`;
  await make(fresh);
  renameSync(fresh, output);
  return output;
}

export function compileHelper(variant: Variant): Promise<string> {
  // The sanitizer takes the place of crypt(3), and finds only one that is there before pam_unix brings it.
  const flags = ['-lpam', '-Wl,--no-as-needed', '-lcrypt'];
  return kept(`sallyport-password-${variant}`, newestSource(target), (output) =>
    compileSources({ output, sources: sourcesOf(target), variant, flags }),
  );
}

/** The helper that ships: the built one when it is newer than its sources, else one compiled as it is. */
export async function shippedPasswordHelper(): Promise<string> {
  const built = path.join(repoRoot, 'build/Release/sallyport-password');
  if (existsSync(built) && newestSource(target) <= statSync(built).mtimeMs) return built;
  return kept('sallyport-password-shipped', newestSource(target), (output) =>
    compileSources({
      output,
      sources: sourcesOf(target),
      flags: [...hardenedLink, '-pie', '-fPIE', '-lpam'],
    }),
  );
}

/** test/native/pam_asks.c, a module that wants what its line says. */
export function askingModule(): Promise<string> {
  const source = path.join(nativeTests, 'pam_asks.c');
  return kept('pam_asks.so', statSync(source).mtimeMs, (output) =>
    compileC('pam_asks.c', output, ['-fPIC', '-shared', '-lpam']),
  );
}

/** Writes the service file into a directory of its own. @returns the directory, for --confdir */
export function confdir(directory: string, lines: readonly string[]): string {
  mkdirSync(directory, { recursive: true });
  writeFileSync(path.join(directory, 'sallyport-password'), [...lines, ''].join('\n'));
  return directory;
}

export const parts = {
  version: (value = 1) => field(0x01, number(value)),
  deadline: (value = 10_000) => field(0x02, number(value, 4)),
  user: (text: string | Buffer = 'alice') => field(0x03, text),
  source: (text: string | Buffer = '192.0.2.7') => field(0x04, text),
  password: (text: string | Buffer = 'correct-horse') => field(0x05, text),
};

/** `undefined` leaves a field out, a list puts it several times. Built apart from the product's own. */
export function askFrame(
  changes: Partial<Record<keyof typeof parts | 'extra', Buffer | readonly Buffer[] | undefined>> = {},
): Buffer {
  const usual = Object.fromEntries(Object.entries(parts).map(([name, build]) => [name, build()]));
  return frame(0x71, ...Object.values({ ...usual, ...changes }).flatMap((value) => value ?? []));
}

/** Whether the account has a password. */
export function lookFrame(user: string | Buffer = 'alice', ...extra: readonly Buffer[]): Buffer {
  return frame(0x72, parts.version(), parts.deadline(), parts.user(user), ...extra);
}

export const codes = { 1: 'right', 2: 'wrong', 3: 'expired', 4: 'failed', 5: 'set', 6: 'none' } as const;

/** The verdict of an answer that is exactly one frame; undefined: it is none. */
export function verdictIn(answer: Buffer): string | undefined {
  for (const [code, verdict] of Object.entries(codes))
    if (answer.equals(frame(0x81, field(0x06, number(Number(code)))))) return verdict;
  return undefined;
}

export interface Asked {
  readonly verdict: string | undefined;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** One process of the helper, spoken to in bytes. Node's pipes are pairs of sockets. */
export class RawPasswordHelper {
  readonly child: ChildProcess;
  readonly ended: Promise<Asked>;

  constructor(
    program: string,
    args: readonly string[] = [],
    owner: { readonly uid?: number; readonly gid?: number; readonly env?: NodeJS.ProcessEnv } = {},
  ) {
    const { env, ...ids } = owner;
    // The fourth is one that somebody forgot to close.
    const stdio = ['pipe', 'pipe', 'pipe', 'pipe'] as const;
    const bounds = { timeout: 15_000, killSignal: 'SIGKILL' } as const;
    this.child = spawn(program, args, {
      ...bounds,
      stdio: [...stdio],
      env: { ...sanitizerOptions, ...env },
      ...ids,
    });
    this.ended = collected(this.child);
  }

  send(bytes: Buffer): this {
    this.child.stdin?.write(bytes);
    return this;
  }

  end(): this {
    this.child.stdin?.end();
    return this;
  }
}

function collected(child: ChildProcess): Promise<Asked> {
  const said: Buffer[] = [];
  let stderr = '';
  child.stdin?.on('error', () => undefined);
  child.stdout?.on('data', (chunk: Buffer) => said.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('latin1');
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const stdout = Buffer.concat(said);
      resolve({ verdict: verdictIn(stdout), code, signal, stdout, stderr });
    });
  });
}
