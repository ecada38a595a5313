import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { compileModule, compileSources, nativeTests, wireSources } from './native.ts';
import { vectorBytes, vectorIndex } from './vectors.ts';

const run = promisify(execFile);

export type FuzzTarget = 'frames' | 'module';

export interface FuzzReport {
  readonly executions: number;
  /** Edges of the code that some input reached. */
  readonly coverage: number;
}

const link = ['-fsanitize=fuzzer', '-rdynamic', '-lpam', '-lpthread', '-ldl', '-lutil'];

/** Steps of test/native/fuzz_module.c. */
const step = { send: 0, awaitFrame: 2, type: 5, typeAnswer: 6 } as const;
/** Its place among the services of that file. */
const terminalService = 4;

function daemonFrames(): Buffer[] {
  const good = Object.entries(vectorIndex.frames).map(([name, { direction }]) => ({ name, direction }));
  const bad = Object.entries(vectorIndex.bad).map(([name, { direction }]) => ({
    name: `bad/${name}`,
    direction,
  }));
  const fromDaemon = [...good, ...bad].filter(({ direction }) => direction === 'daemon-to-module');
  return fromDaemon.map(({ name }) => vectorBytes(name));
}

function send(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 255) {
    const part = bytes.subarray(at, at + 255);
    parts.push(Buffer.from([step.send, part.length]), part);
  }
  return Buffer.concat(parts);
}

/** At the terminal: a touch, a code, both at once, and keys that end the prompt. */
function terminalSeeds(): Buffer[] {
  const awaitFrame = Buffer.from([step.awaitFrame, 0]);
  const press = (keys: string) => Buffer.from([step.type, keys.length, ...Buffer.from(keys)]);
  const typeAnswer = Buffer.from([step.typeAnswer, 0]);
  const [ask, withdraw, success] = ['prompt-terminal.hex', 'withdraw.hex', 'result-success.hex'].map((name) =>
    send(vectorBytes(name)),
  );
  const head = Buffer.concat([Buffer.from([terminalService, 0]), awaitFrame, ask ?? awaitFrame]);
  const acts: readonly (Buffer | undefined)[][] = [
    [withdraw, awaitFrame, success],
    [typeAnswer, awaitFrame, success],
    [typeAnswer, withdraw, awaitFrame, ask, typeAnswer, awaitFrame, success],
    [press('12'), withdraw, awaitFrame, ask, press('\x03'), awaitFrame],
    [press('\x04'), awaitFrame],
    [press('12\x1a'), typeAnswer, awaitFrame, success],
    [success],
  ];
  return acts.map((act) => Buffer.concat([head, ...act.flatMap((part) => part ?? [])]));
}

/** A whole login for each service and conversation, then each frame by itself. */
function moduleSeeds(): Buffer[] {
  const awaitFrame = Buffer.from([step.awaitFrame, 0]);
  const say = (name: string) => send(vectorBytes(name));
  const login = [awaitFrame, say('wait.hex'), say('info.hex'), say('prompt-hidden.hex'), awaitFrame];
  const seeds: Buffer[] = [];
  for (const result of [
    'result-success.hex',
    'result-success-strip.hex',
    'result-ignore.hex',
    'result-maxtries.hex',
  ]) {
    for (let service = 0; service < 4; service++) {
      seeds.push(Buffer.concat([Buffer.from([service, 0]), ...login, say(result)]));
    }
  }
  for (let conversation = 1; conversation < 6; conversation++) {
    seeds.push(Buffer.concat([Buffer.from([0, conversation]), ...login, say('result-success.hex')]));
  }
  seeds.push(...terminalSeeds());
  for (const bytes of daemonFrames())
    seeds.push(Buffer.concat([Buffer.from([0, 0]), awaitFrame, send(bytes)]));
  return seeds;
}

function writeSeeds(directory: string, seeds: readonly Buffer[]): string {
  const corpus = path.join(directory, 'corpus');
  mkdirSync(corpus);
  seeds.forEach((seed, index) => {
    writeFileSync(path.join(corpus, String(index)), seed);
  });
  return corpus;
}

async function buildFrames(directory: string): Promise<string> {
  const sources = [path.join(nativeTests, 'fuzz_frames.c'), ...wireSources];
  await compileSources({ output: path.join(directory, 'fuzz'), sources, variant: 'fuzz', flags: link });
  return writeSeeds(directory, daemonFrames());
}

async function buildModule(directory: string): Promise<string> {
  const output = (name: string) => path.join(directory, name);
  const source = (name: string) => [path.join(nativeTests, name)];
  const setter = output('set_authtok.so');
  await Promise.all([
    compileModule(directory, 'fuzz'),
    compileSources({
      output: output('fuzz'),
      sources: source('fuzz_module.c'),
      variant: 'fuzz',
      flags: link,
    }),
    compileSources({
      output: setter,
      sources: source('set_authtok.c'),
      flags: ['-fvisibility=default', '-fPIC', '-shared', '-lpam'],
    }),
  ]);
  const module = `auth required ${output('pam_sallyport.so')} socket=${output('pam.sock')}`;
  const services = {
    prompt: [`${module} debug`],
    terminal: [module],
    password_and_code: [`${module} password_and_code`],
    first_pass: [
      `auth required ${setter} s3cret-typed-answer`,
      `${module} use_first_pass first_factor=passed`,
    ],
    without_pass: [`${module} use_first_pass timeout=5`],
    other: ['auth required pam_deny.so'],
  };
  for (const [name, lines] of Object.entries(services)) writeFileSync(output(name), `${lines.join('\n')}\n`);
  return writeSeeds(directory, moduleSeeds());
}

/** The last line of libFuzzer that carries figures. */
function reportOf(text: string): FuzzReport {
  const executions = /stat::number_of_executed_units:\s*(\d+)/.exec(text)?.[1];
  const coverage = [...text.matchAll(/\bcov: (\d+)/g)].at(-1)?.[1];
  if (executions === undefined || coverage === undefined) throw new Error(`libFuzzer said nothing: ${text}`);
  return { executions: Number(executions), coverage: Number(coverage) };
}

async function runFuzzer(directory: string, args: readonly string[]): Promise<string> {
  const options = {
    cwd: directory,
    env: { ...process.env, SALLYPORT_FUZZ_FOLDER: directory, ASAN_OPTIONS: 'quarantine_size_mb=32' },
    maxBuffer: 256 * 1024 * 1024,
  };
  try {
    return (await run(path.join(directory, 'fuzz'), [...args], options)).stderr;
  } catch (failure) {
    const { stderr = '' } = failure as { stderr?: string };
    throw new Error(`libFuzzer found something:\n${stderr.split('\n').slice(-60).join('\n')}`, {
      cause: failure,
    });
  }
}

/**
 * Fuzzes for that many seconds, building included in none of them. Rejects with libFuzzer's own words, the input
 * in base64 among them, when something was found.
 */
export async function fuzz(target: FuzzTarget, seconds: number): Promise<FuzzReport> {
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-fuzz-'));
  try {
    const corpus = await (target === 'frames' ? buildFrames(directory) : buildModule(directory));
    const limits = [`-max_total_time=${seconds}`, '-timeout=10', '-max_len=20000', '-print_final_stats=1'];
    return reportOf(await runFuzzer(directory, [...limits, corpus]));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
