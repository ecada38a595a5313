import { parseArgs } from 'node:util';
import { build } from './lib/build.mjs';
import { filesBelow } from './lib/fresh.mjs';
import { complaintsOf, complaintText, lookAtMachine } from './lib/machine.mjs';
import { become, root, stop } from './lib/run.mjs';
import { setUp } from './lib/setup.mjs';
import { chooseTests } from './lib/tests.mjs';

const usage = 'usage: npm test -- [--only PATTERN]    npm run test:long -- [--only PATTERN]';

function readArguments() {
  try {
    const options = { long: { type: 'boolean', default: false }, only: { type: 'string', default: '' } };
    const { long, only } = parseArgs({ options }).values;
    return { long, only: new RegExp(only) };
  } catch (error) {
    return stop(`${error.message}\n${usage}`);
  }
}

const { long, only } = readArguments();
// The tests create namespaces with separate accounts and logins, which only root may do.
if (process.getuid() !== 0)
  stop(
    `the tests create namespaces with separate accounts, which needs root; run: sudo npm ${long ? 'run test:long' : 'test'}`,
  );
// First, so that no test waits in vain.
const complaints = complaintsOf(lookAtMachine());
if (complaints.length > 0) stop(complaintText(complaints));
await setUp(long ? 'long' : 'test');
build();

const files = chooseTests(filesBelow(root, 'dist/test'), { long, only });
if (files.length === 0) stop(`no test file matches ${only}\n${usage}`);

const minutes = long ? 180 : 9;
const reporter = process.stdout.isTTY ? 'spec' : './scripts/lib/test-reporter.mjs';
become(
  process.execPath,
  [
    '--enable-source-maps',
    '--test',
    '--test-concurrency=2',
    `--test-timeout=${minutes * 60_000}`,
    `--test-reporter=${reporter}`,
    ...files,
  ],
  'ignore',
);
