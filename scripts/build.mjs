import { build } from './lib/build.mjs';
import { setUp } from './lib/setup.mjs';

await setUp('start');
build();
