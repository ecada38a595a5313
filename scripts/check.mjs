import { spawnSync } from 'node:child_process';
import { become, root } from './lib/run.mjs';

/** `npm run check`: everything that a change must pass, and what CI runs. The tests' closing lines come last. */
const steps = [
  [process.execPath, 'scripts/pins.mjs'],
  [process.execPath, 'scripts/build.mjs'],
  ['node_modules/.bin/biome', 'check', '.'],
  ['node_modules/.bin/tsc', '--noEmit'],
  ['node_modules/.bin/tsc', '--noEmit', '-p', 'portal/pages'],
];

for (const [command, ...args] of steps) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) process.exit(status ?? 1);
}
become(process.execPath, ['scripts/test.mjs'], 'ignore');
