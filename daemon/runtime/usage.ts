import { parseArgs } from 'node:util';
import { defaultConfigFile } from '../config/defaults.ts';

/** What sallyportd takes on its command line: --help and the manual page are made of this. */

/** The account that the service unit runs sallyportd as. */
export const daemonUser = 'sallyport';

export const forms: readonly string[] = [
  '[--config FILE]',
  '--init [--root DIR | --user NAME] [--config FILE]',
  '--check [--config FILE]',
  '--offline|--restore|--check-store|--repair-store|--replaced-stores [--config FILE]',
];

export const options: readonly { readonly flags: string; readonly about: string }[] = [
  { flags: '--config FILE', about: `the configuration, by default ${defaultConfigFile}` },
  {
    flags: '--init',
    about: 'create the configuration, master key and store; with --root DIR, all of it below one directory',
  },
  {
    flags: '--user NAME',
    about: `with --init, as root: the account that sallyportd runs as, which will own key and store; by default ${daemonUser} if it exists`,
  },
  { flags: '--check', about: 'read the configuration, name every problem in it, and change nothing' },
  {
    flags: '--restore',
    about:
      'create a store from the backup on standard input; with --dry-run, --ignore-store, --generate-key and --master-key FILE as in "sallyport restore"',
  },
  {
    flags: '--check-store',
    about: 'read a store completely while sallyportd is stopped, and change nothing',
  },
  {
    flags: '--repair-store',
    about: 'rebuild the store from readable records; with --reset-account USER, without that account',
  },
  {
    flags: '--replaced-stores',
    about: 'list replaced stores; with --discard, remove them',
  },
  {
    flags: '--offline',
    about: 'answer what "sallyport --offline" asks, from a store that no daemon has open',
  },
  { flags: '--version', about: 'say which version this is' },
  { flags: '-h, --help', about: 'say what it takes' },
];

const indent = 18;
const width = 100;

/** What --help says. */
export function usage(): string {
  const lead = 'usage: sallyportd ';
  const whole = forms.map((form, index) => `${(index === 0 ? lead : '').padStart(lead.length)}${form}`);
  const each = options.flatMap(({ flags, about }) => {
    const [first = '', ...rest] = folded(about, width - indent);
    return [`  ${flags}`.padEnd(indent) + first, ...rest.map((line) => ' '.repeat(indent) + line)];
  });
  return `${[...whole, '', ...each].join('\n')}\n`;
}

function folded(text: string, most: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > most) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** @throws TypeError for what is not in `usage` */
export function parseCommandLine() {
  const { values } = parseArgs({
    options: {
      config: { type: 'string' },
      init: { type: 'boolean' },
      root: { type: 'string' },
      user: { type: 'string' },
      check: { type: 'boolean' },
      offline: { type: 'boolean' },
      restore: { type: 'boolean' },
      'dry-run': { type: 'boolean' },
      'ignore-store': { type: 'boolean' },
      'generate-key': { type: 'boolean' },
      'master-key': { type: 'string' },
      'check-store': { type: 'boolean' },
      'repair-store': { type: 'boolean' },
      'reset-account': { type: 'string', multiple: true },
      'replaced-stores': { type: 'boolean' },
      discard: { type: 'boolean' },
      version: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  return values;
}
