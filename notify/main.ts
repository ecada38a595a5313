#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { defaultConfigFile, readNotifySetting } from '../daemon/client/config.ts';
import { exits, forbidFetch, logToStderr, runProgram, version } from '../daemon/lib/program.ts';
import { limits } from './limits.ts';
import { createPosition } from './position.ts';
import { watch } from './watch.ts';

/** Puts the parts together; nothing else does. */

const usage = `usage: sallyport-notify [--config FILE] [--state DIR]

  --config FILE  the configuration, by default ${defaultConfigFile}
  --state DIR    where it keeps its place, by default $STATE_DIRECTORY
`;

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

runProgram({
  name: 'sallyport-notify',
  usage,
  parse,
  async run({ config, state = process.env.STATE_DIRECTORY }) {
    forbidFetch('sallyport-notify');
    if (state === undefined) {
      process.stderr.write(`sallyport-notify: where is it to keep its place? --state DIR\n${usage}`);
      return exits.usage;
    }
    const read = await readNotifySetting(config ?? defaultConfigFile);
    if (!read.ok) {
      for (const problem of read.problems) process.stderr.write(`sallyport-notify: ${problem}\n`);
      return exits.config;
    }
    const log = logToStderr();
    const stop = new AbortController();
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
    log.info('ready', { version: version(), pid: process.pid, program: read.setting.program[0] });
    await watch({ ...read.setting, position: createPosition(state), limits, log, signal: stop.signal });
    return exits.done;
  },
});
