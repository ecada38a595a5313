import { build } from './lib/build.mjs';
import { become } from './lib/run.mjs';
import { setUp } from './lib/setup.mjs';

await setUp('bench');
build();
become(process.execPath, ['dist/bench/main.js', ...process.argv.slice(2)]);
