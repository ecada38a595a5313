#!/usr/bin/env node
import { defaultConfigFile } from './config/defaults.ts';
import { loadAddon } from './host/addon.ts';
import { exits, forbidFetch, logToStderr, runProgram } from './lib/program.ts';
import { offlineWork, offlineWorkIn } from './maintenance/main.ts';
import { check, init } from './runtime/command-line.ts';
import { standalone } from './runtime/standalone.ts';
import { parseCommandLine, usage } from './runtime/usage.ts';

runProgram({
  name: 'sallyportd',
  usage: usage(),
  parse: parseCommandLine,
  async run(options) {
    const file = options.config ?? defaultConfigFile;
    if (options.check === true) return check(file);
    const addon = loadAddon();
    if (options.init === true) return init(options.root, options.config, addon, options.user);
    // Seeds and keys pass through memory: no core dumps, no ptrace by others of our uid.
    addon.setDumpable(false);
    forbidFetch('sallyportd');
    const work = offlineWorkIn(options);
    if (work !== undefined) return (await offlineWork(work, file, addon)) ? exits.done : exits.failed;
    await standalone(file, addon, logToStderr());
    return exits.done;
  },
});
