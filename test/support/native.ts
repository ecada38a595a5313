import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

function findRoot(): string {
  let directory = import.meta.dirname;
  while (!existsSync(path.join(directory, 'package.json'))) directory = path.dirname(directory);
  return directory;
}

export const repoRoot = findRoot();
export const moduleDirectory = path.join(repoRoot, 'native/module');
export const nativeTests = path.join(repoRoot, 'test/native');
export const vectors = path.join(repoRoot, 'test/vectors');

/** plain: as binding.gyp builds it; asan: gcc's sanitizers; fuzz: clang's, with the deadlines of a fuzzer. */
export type Variant = 'plain' | 'asan' | 'fuzz';

const sanitizers = ['-g', '-O1', '-fno-omit-frame-pointer', '-fno-sanitize-recover=all'];
const variants: Record<Variant, { readonly compiler: string; readonly flags: readonly string[] }> = {
  plain: {
    compiler: 'gcc',
    flags: ['-O2', '-fstack-protector-strong', '-D_FORTIFY_SOURCE=2', '-fvisibility=hidden'],
  },
  asan: { compiler: 'gcc', flags: [...sanitizers, '-fsanitize=address,undefined'] },
  fuzz: {
    compiler: 'clang',
    flags: [...sanitizers, '-fsanitize=fuzzer-no-link,address,undefined', '-DSALLYPORT_FUZZING'],
  },
};
const warnings = ['-std=gnu11', '-Wall', '-Wextra', '-Werror'];
export const hardenedLink = ['-Wl,-z,relro', '-Wl,-z,now', '-Wl,-z,noexecstack'];

export interface Compilation {
  readonly output: string;
  readonly sources: readonly string[];
  readonly variant?: Variant;
  /** Beyond those of the variant; libraries too, since they come last. */
  readonly flags?: readonly string[];
}

/** Compiles one file of test/native as it is. Throws with the compiler's own words. */
export function compileC(source: string, output: string, flags: readonly string[] = []): string {
  execFileSync('gcc', [
    '-O1',
    '-Wall',
    '-Wextra',
    '-Werror',
    path.join(nativeTests, source),
    '-o',
    output,
    ...flags,
  ]);
  return output;
}

/** Compiles C against the module's headers. Rejects with the compiler's own words. */
export async function compileSources(compilation: Compilation): Promise<string> {
  const { compiler, flags } = variants[compilation.variant ?? 'plain'];
  const args = [...warnings, ...flags, `-I${moduleDirectory}`, ...compilation.sources];
  await run(compiler, [...args, '-o', compilation.output, ...(compilation.flags ?? [])]);
  return compilation.output;
}

interface Gyp {
  readonly targets: readonly {
    readonly target_name: string;
    readonly sources: readonly string[];
    readonly defines?: readonly string[];
  }[];
}

function targetOf(target: string): Gyp['targets'][number] {
  const { targets } = JSON.parse(readFileSync(path.join(repoRoot, 'binding.gyp'), 'utf8')) as Gyp;
  const found = targets.find(({ target_name }) => target_name === target);
  if (found === undefined) throw new Error(`binding.gyp has no target ${target}`);
  return found;
}

/** The sources of a program, as binding.gyp has them. */
export function sourcesOf(target: string): readonly string[] {
  return targetOf(target).sources.map((source) => path.join(repoRoot, source));
}

function definesOf(target: string): readonly string[] {
  return targetOf(target).defines ?? [];
}

/** When a source of a program, or a header beside one, was last written. */
export function newestSource(target: string): number {
  const directories = new Set(sourcesOf(target).map((source) => path.dirname(source)));
  const files = [...directories].flatMap((directory) =>
    readdirSync(directory).map((name) => path.join(directory, name)),
  );
  return Math.max(...files.map((file) => statSync(file).mtimeMs));
}

/** What takes frames of the daemon apart. */
export const wireSources = ['native/module/wire.c', 'native/frames/codec.c', 'native/frames/utf8.c'].map(
  (name) => path.join(repoRoot, name),
);

/** Compiles pam_sallyport.so into `directory`. */
export function compileModule(directory: string, variant: Variant): Promise<string> {
  const map = path.join(moduleDirectory, 'pam_sallyport.map');
  return compileSources({
    output: path.join(directory, 'pam_sallyport.so'),
    sources: sourcesOf('pam_sallyport'),
    variant,
    flags: ['-fPIC', '-shared', ...hardenedLink, `-Wl,--version-script=${map}`, '-lpam'],
  });
}

/** Compiles the addon with gcc's sanitizers, and a send(2) that takes only a part of what it is given. */
export async function compileShortAddon(directory: string): Promise<string> {
  const output = path.join(directory, 'sallyport_addon.node');
  const include = path.join(path.dirname(path.dirname(realpathSync(process.execPath))), 'include/node');
  const api = path.join(repoRoot, 'node_modules/node-addon-api');
  const shim = path.join(directory, 'short_send.o');
  const sanitizing = ['-fsanitize=address,undefined', '-fno-sanitize=vptr', '-fPIC'];
  await run('gcc', [...sanitizers, ...sanitizing, '-c', path.join(nativeTests, 'short_send.c'), '-o', shim]);
  await run('g++', [
    '-std=c++17',
    ...sanitizers,
    ...sanitizing,
    ...definesOf('sallyport_addon').map((define) => `-D${define}`),
    '-DNODE_GYP_MODULE_NAME=sallyport_addon',
    '-DBUILDING_NODE_EXTENSION',
    `-I${include}`,
    `-I${api}`,
    ...sourcesOf('sallyport_addon'),
    shim,
    '-shared',
    '-Wl,--wrap=send',
    '-o',
    output,
  ]);
  return output;
}

/** What a process that loads it has to load first. */
export function sanitizerLibraries(): string {
  const libraries = ['libasan.so', 'libubsan.so'];
  return libraries
    .map((name) => execFileSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim())
    .join(' ');
}

/** build/Release/pam_sallyport.so, when it is there and newer than its sources. */
export function builtModule(): string | undefined {
  const built = path.join(repoRoot, 'build/Release/pam_sallyport.so');
  if (!existsSync(built)) return undefined;
  return newestSource('pam_sallyport') <= statSync(built).mtimeMs ? built : undefined;
}

/** The module that ships: the built one, or one compiled into `directory` with the same flags. */
export async function shippedModule(directory: string): Promise<string> {
  return builtModule() ?? (await compileModule(directory, 'plain'));
}
