import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { type Addon, nativeFile } from './addon.ts';
import { defaultConfigFile } from './config/defaults.ts';
import { readConfig } from './config/load.ts';
import { describeProblem } from './config/problem.ts';
import { initialise } from './initialise.ts';

/** What sallyportd takes on its command line, and what it does there besides serving. */

export const usage = `usage: sallyportd [--config FILE]
       sallyportd --init [--root DIR] [--config FILE]
       sallyportd --check [--config FILE]
       sallyportd --offline|--restore|--check-store|--repair-store|--stores-aside [--config FILE]

  --config FILE  the configuration, by default ${defaultConfigFile}
  --init         lay out configuration, master key and store; with --root below one folder
  --check        read the configuration, name every problem in it, and change nothing
  --restore      make a store out of the backup that comes on standard input; --dry-run, --ignore-store, --new-key, --old-key FILE
  --check-store  read all of a store that no daemon has open, and change nothing
  --repair-store make a new store out of what can be read of it; --give-up USER
  --stores-aside name the stores that others took the place of; with --discard remove them
  --offline      answer what "sallyport --offline" asks, from a store that no daemon has open
`;

/** docs: README, "Exit status"; the same as the CLI's. */
export const exits = { done: 0, failed: 1, usage: 2, config: 78 } as const;

/** @throws TypeError for what is not in `usage` */
export function parseCommandLine() {
  const { values } = parseArgs({
    options: {
      config: { type: 'string' },
      init: { type: 'boolean' },
      root: { type: 'string' },
      check: { type: 'boolean' },
      offline: { type: 'boolean' },
      restore: { type: 'boolean' },
      'dry-run': { type: 'boolean' },
      'ignore-store': { type: 'boolean' },
      'new-key': { type: 'boolean' },
      'old-key': { type: 'string' },
      'check-store': { type: 'boolean' },
      'repair-store': { type: 'boolean' },
      'give-up': { type: 'string', multiple: true },
      'stores-aside': { type: 'boolean' },
      discard: { type: 'boolean' },
      version: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  return values;
}

/** @returns the exit status */
export async function check(file: string): Promise<number> {
  const parsed = await readConfig(file, hostname());
  if (parsed.ok) {
    const count = parsed.config.realms.length;
    process.stdout.write(`${file}: good, ${count} ${count === 1 ? 'realm' : 'realms'}\n`);
    return exits.done;
  }
  for (const problem of parsed.problems) process.stderr.write(`${describeProblem(problem)}\n`);
  return exits.config;
}

/** @returns the exit status */
export async function init(
  root: string | undefined,
  file: string | undefined,
  addon: Addon,
): Promise<number> {
  const helpers = { fido: nativeFile('sallyport-fido'), password: nativeFile('sallyport-password') };
  const { made, kept } = await initialise({ root, file, host: hostname(), locks: addon, helpers });
  for (const path of made) process.stdout.write(`made ${path}\n`);
  for (const path of kept) process.stdout.write(`kept ${path}\n`);
  return exits.done;
}
