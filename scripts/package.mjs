import { parseArgs } from 'node:util';
import { build } from './lib/build.mjs';
import { buildPackage } from './lib/package.mjs';
import { stop } from './lib/run.mjs';
import { setUp } from './lib/setup.mjs';

const usage = `usage: npm run package -- [--version VERSION] [--out DIRECTORY]

  --version VERSION  in place of the one in package.json, such as 1.2.0~rc1
  --out DIRECTORY    where the package is written, by default out`;

function readArguments() {
  try {
    const options = { version: { type: 'string' }, out: { type: 'string', default: 'out' } };
    return parseArgs({ options }).values;
  } catch (error) {
    return stop(`${error.message}\n${usage}`);
  }
}

const { version, out } = readArguments();
if (version !== undefined && !/^\d[A-Za-z0-9.+~]*$/.test(version))
  stop(`${version} is not a version of a Debian package: a digit, then letters, digits and . + ~\n${usage}`);
await setUp('package');
build();
process.stdout.write(`${await buildPackage({ version, out })}\n`);
