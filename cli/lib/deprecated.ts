import { type Command, Option } from 'commander';
import type { Context } from './context.ts';
import { CliError } from './errors.ts';

/** Former names of commands and options: accepted for one release, with one warning, and absent from help and completion. */

export function warnOfFormerName({ output }: Context, former: string, current: string): void {
  output.warn(`${former} is deprecated and will be removed in the next release; use: ${current}`);
}

/**
 * Accepts an option of a command under its former name too.
 * @param current the long name of an option that the command has already
 */
export function acceptFormerOption(
  command: Command,
  context: Context,
  former: string,
  current: string,
): Command {
  const target = command.options.find(({ long }) => long === current);
  if (target === undefined) throw new Error(`no option ${current}`);
  const alias = new Option(target.flags.replace(current, former)).hideHelp();
  if (target.parseArg !== undefined) alias.argParser(target.parseArg);
  return command.addOption(alias).hook('preAction', () => {
    const name = alias.attributeName();
    if (command.getOptionValueSource(name) === undefined) return;
    if (command.getOptionValueSource(target.attributeName()) !== undefined)
      throw new CliError('usage', `${former} is the former name of ${current}; give only ${current}`);
    warnOfFormerName(context, former, current);
    command.setOptionValueWithSource(target.attributeName(), command.getOptionValue(name), 'cli');
  });
}
