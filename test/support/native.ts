import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

function repositoryFrom(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : repositoryFrom(dirname(folder));
}

/** The folder with package.json: C sources are compiled from there. */
export const repository = repositoryFrom(import.meta.dirname);

/** Compiles one file of test/native to `output`. */
export function compileC(source: string, output: string, flags: readonly string[] = []): void {
  const file = join(repository, 'test/native', source);
  execFileSync('cc', ['-std=c11', '-Wall', '-Wextra', '-Werror', '-O1', ...flags, '-o', output, file]);
}
