import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createHelperFrameReader, type HelperFrame } from '../../daemon/protocol/fido.ts';
import { field, frame } from './fake-daemon.ts';
import {
  compileSources,
  hardenedLink,
  nativeTests,
  newestSource,
  repoRoot,
  sourcesOf,
  type Variant,
} from './native.ts';
import { until } from './until.ts';

export const fidoDirectory = path.join(repoRoot, 'native/fido');
export const framesDirectory = path.join(repoRoot, 'native/frames');

const libraries = ['-pthread', '-lfido2'];

/**
 * The helper with sockets in the place of keys. Several files of tests want it, and the sanitizers take their time
 * to compile: it is kept in build/ for as long as no source is newer.
 */
export async function compileSoftHelper(variant: Variant): Promise<string> {
  const kept = path.join(repoRoot, `build/test/sallyport-fido-${variant}`);
  const devices = path.join(nativeTests, 'fido_devices.c');
  const newest = Math.max(newestSource('sallyport-fido'), statSync(devices).mtimeMs);
  if (existsSync(kept) && newest < statSync(kept).mtimeMs) return kept;
  mkdirSync(path.dirname(kept), { recursive: true });
  const sources = sourcesOf('sallyport-fido').filter((source) => path.basename(source) !== 'devices.c');
  const output = await compileSources({
    output: `${kept}.${randomUUID()}`,
    sources: [...sources, devices],
    variant,
    flags: [`-I${fidoDirectory}`, ...libraries],
  });
  renameSync(output, kept);
  return kept;
}

/** The helper that ships: the built one when it is newer than its sources, else one compiled as it is. */
export async function shippedHelper(directory: string): Promise<string> {
  const built = path.join(repoRoot, 'build/Release/sallyport-fido');
  if (existsSync(built) && newestSource('sallyport-fido') <= statSync(built).mtimeMs) return built;
  const output = path.join(directory, 'sallyport-fido');
  return compileSources({
    output,
    sources: sourcesOf('sallyport-fido'),
    flags: [...hardenedLink, ...libraries],
  });
}

/** DUMPABLE 0 keeps the leak checker from looking; the process ends without tidying up anyway. */
export const sanitizerOptions = { ASAN_OPTIONS: 'detect_leaks=0', UBSAN_OPTIONS: 'halt_on_error=1' };

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const running = new Set<ChildProcess>();

/** After the tests of a file: one that failed may have left its helper behind. */
export function killHelpers(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** One process of the helper, spoken to in bytes. */
export class RawHelper {
  readonly child: ChildProcess;
  readonly frames: HelperFrame[] = [];
  readonly ended: Promise<Ended>;
  errors = '';
  isOver = false;
  readonly #reader = createHelperFrameReader();

  constructor(
    program: string,
    environment: Readonly<Record<string, string>> = {},
    owner: { readonly uid?: number; readonly gid?: number } = {},
  ) {
    const env = { ...sanitizerOptions, ...environment };
    this.child = spawn(program, [], { stdio: 'pipe', env, ...owner });
    this.child.stdin?.on('error', () => undefined);
    this.child.stdout?.on('data', (chunk: Buffer) => this.frames.push(...this.#reader.push(chunk)));
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.errors += chunk.toString('latin1');
    });
    running.add(this.child);
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        this.isOver = true;
        running.delete(this.child);
        resolve({ code, signal });
      });
    });
  }

  send(...bytes: readonly Buffer[]): this {
    this.child.stdin?.write(Buffer.concat(bytes));
    return this;
  }

  end(): this {
    this.child.stdin?.end();
    return this;
  }

  async said(type: HelperFrame['type'], within = 60_000): Promise<void> {
    await until(() => this.isOver || this.frames.some((said) => said.type === type), within);
  }
}

/** A directory that is removed after the tests. */
export function scratch(name: string): { readonly path: string; readonly remove: () => void } {
  const made = mkdtempSync(path.join(tmpdir(), `sallyport-${name}-`));
  return { path: made, remove: () => rmSync(made, { recursive: true, force: true }) };
}

/** Frames from the page, apart from the product's own, so that they can also be wrong. */
export const number = (value: number, size: 1 | 4 = 1): Buffer => {
  const bytes = Buffer.alloc(size);
  bytes.writeUIntBE(value, 0, size);
  return bytes;
};
export const parts = {
  version: (value = 1) => field(0x01, number(value)),
  deadline: (value = 60_000) => field(0x02, number(value, 4)),
  hash: (length = 32) => field(0x03, Buffer.alloc(length, 7)),
  verification: (value = 0) => field(0x04, number(value)),
  rpId: (text: string | Buffer = 'example.org') => field(0x05, text),
  rpName: (text: string | Buffer = 'Example') => field(0x06, text),
  userId: (length = 16) => field(0x07, Buffer.alloc(length, 8)),
  userName: (text: string | Buffer = 'alice') => field(0x08, text),
  algorithm: (value = 1) => field(0x09, number(value)),
  id: (length = 64, fill = 9) => field(0x0a, Buffer.alloc(length, fill)),
  resident: (value = 0) => field(0x0b, number(value)),
};

export function list(...fields: readonly Buffer[]): Buffer {
  return frame(0x41, ...(fields.length > 0 ? fields : [parts.version(), parts.deadline()]));
}

/** By name; `undefined` leaves a field out, a list puts it several times. */
export type Changes<Name extends string> = Partial<Record<Name, Buffer | readonly Buffer[] | undefined>>;

function changed(
  usual: Readonly<Record<string, Buffer>>,
  changes: Readonly<Record<string, Buffer | readonly Buffer[] | undefined>>,
): readonly Buffer[] {
  return Object.values({ ...usual, ...changes }).flatMap((value) => value ?? []);
}

export function makeFrame(changes: Changes<keyof typeof parts | 'extra'> = {}): Buffer {
  const { id, ...rest } = parts;
  const usual = Object.fromEntries(Object.entries(rest).map(([name, build]) => [name, build()]));
  return frame(0x42, ...changed(usual, changes));
}

export function assertFrame(changes: Changes<keyof typeof parts | 'extra'> = {}): Buffer {
  const { version, deadline, hash, verification, rpId, id } = parts;
  const usual = {
    version: version(),
    deadline: deadline(),
    hash: hash(),
    verification: verification(),
    rpId: rpId(),
    id: id(),
  };
  return frame(0x43, ...changed(usual, changes));
}

export function pinFrame(pin: string | Buffer, ask = 1): Buffer {
  return frame(0x44, field(0x21, number(ask)), field(0x20, pin));
}
