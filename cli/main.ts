#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './program.ts';

function version(): string {
  for (const place of ['../package.json', '../../package.json']) {
    try {
      return String(JSON.parse(readFileSync(join(import.meta.dirname, place), 'utf8')).version);
    } catch {
      // Built, the file lies one folder higher.
    }
  }
  return 'unknown';
}

// A pipe that was closed (head, less) has had enough; that is no failure to report.
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
