import { build } from './lib/build.mjs';
import { become } from './lib/run.mjs';
import { setUp } from './lib/setup.mjs';

await setUp('start');
build();
become(process.execPath, ['dist/cli/demo.js', ...process.argv.slice(2)]);
