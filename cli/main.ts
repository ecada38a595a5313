#!/usr/bin/env node
import { join } from 'node:path';
import { version } from '../daemon/lib/program.ts';
import { run } from './program.ts';

// A reader that closed the pipe (head, less) needs no more output: not an error.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });

process.exitCode = await run(process.argv.slice(2), {
  input: process.stdin,
  output: process.stdout,
  error: process.stderr,
  environment: process.env,
  daemonMain: join(import.meta.dirname, `../daemon/main${import.meta.filename.slice(-3)}`),
  version: version(),
  now: () => Date.now(),
  onInterrupt: (listener) => void process.once('SIGINT', listener),
});
