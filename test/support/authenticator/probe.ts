import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { compileSources, nativeTests } from '../native.ts';

const run = promisify(execFile);

/** Steps of test/native/fido_probe.c through libfido2. Resolves to what it printed. */
export type Probe = (socket: string, ...steps: readonly string[]) => Promise<readonly string[]>;

export async function compileProbe(directory: string): Promise<Probe> {
  const program = join(directory, 'fido_probe');
  const sources = [join(nativeTests, 'fido_probe.c')];
  await compileSources({ output: program, sources, variant: 'asan', flags: ['-lfido2'] });
  return async (socket, ...steps) => {
    const { stdout } = await run(program, [socket, ...steps], { timeout: 20_000, encoding: 'utf8' });
    return stdout.trimEnd().split('\n');
  };
}
