#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultConfigFile, readNotifySetting } from '../daemon/control/notify-config.ts';
import { limits } from './limits.ts';
import { logToStderr } from './log.ts';
import { createPosition } from './position.ts';
import { watch } from './watch.ts';

/** Puts the parts together; nothing else does. */

const usage = `usage: sallyport-notify [--config FILE] [--state DIR]

  --config FILE  the configuration, by default ${defaultConfigFile}
  --state DIR    where it keeps its place, by default $STATE_DIRECTORY
`;

/** docs: README, "Exit status"; the same as sallyportd's. */
const exits = { done: 0, failed: 1, usage: 2, config: 78 } as const;

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

function parse() {
  const { values } = parseArgs({
    options: {
      config: { type: 'string' },
      state: { type: 'string' },
      version: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  return values;
}

async function main(): Promise<number> {
  process.umask(0o077);
  globalThis.fetch = () => Promise.reject(new Error('sallyport-notify fetches nothing'));
  let options: ReturnType<typeof parse>;
  try {
    options = parse();
  } catch (error) {
    process.stderr.write(`sallyport-notify: ${error instanceof Error ? error.message : error}\n${usage}`);
    return exits.usage;
  }
  if (options.help === true) {
    process.stdout.write(usage);
    return exits.done;
  }
  if (options.version === true) {
    process.stdout.write(`sallyport-notify ${version()}\n`);
    return exits.done;
  }
  const state = options.state ?? process.env.STATE_DIRECTORY;
  if (state === undefined) {
    process.stderr.write(`sallyport-notify: where is it to keep its place? --state DIR\n${usage}`);
    return exits.usage;
  }
  const read = await readNotifySetting(options.config ?? defaultConfigFile);
  if (!read.ok) {
    for (const problem of read.problems) process.stderr.write(`sallyport-notify: ${problem}\n`);
    return exits.config;
  }
  const log = logToStderr(process.env);
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  log('info', 'ready', { version: version(), pid: process.pid, program: read.setting.program[0] });
  await watch({ ...read.setting, position: createPosition(state), limits, log, signal: stop.signal });
  return exits.done;
}

main().then(
  (status) => process.exit(status),
  (error: unknown) => {
    process.stderr.write(`sallyport-notify: ${error instanceof Error ? error.message : error}\n`);
    process.exit(exits.failed);
  },
);
