import { type Command, Option } from 'commander';
import { bypassLimits } from '../../daemon/api/bounds.ts';
import { formatDuration } from '../../daemon/lib/units.ts';
import type { Context } from '../lib/context.ts';
import { factorTimes } from '../lib/json-times.ts';
import { lengthOfTime } from '../lib/option-values.ts';
import { tell } from './enrol.ts';

interface BypassOptions {
  readonly for: number;
  readonly json?: boolean;
}

export function addBypassCommand(add: Command, kind: string, context: Context): void {
  const { shortest, longest, usual } = bypassLimits;
  add
    .command(`${kind} <user>`)
    .description('Create a code for one login, replacing any earlier one')
    .addOption(
      new Option('--for <time>', `Validity, up to ${formatDuration(longest)}`)
        .argParser(lengthOfTime(shortest, longest))
        .default(usual, formatDuration(usual)),
    )
    .option('--json', 'Print JSON')
    .addHelpText(
      'after',
      '\nVerify the identity of the person on the phone: the password and this code are enough to log in. You cannot issue a bypass code to yourself.',
    )
    .action(async (user: string, options: BypassOptions) => {
      const added = await context.client().giveBypass(user, { forMs: options.for });
      if (options.json === true) {
        context.output.json(added, { factor: factorTimes, replaced: factorTimes });
        return;
      }
      context.output.line(added.bypassCode);
      context.output.note(
        `Valid for one login of ${added.account}, until ${context.output.time(added.factor.until ?? 0)}.`,
      );
      tell(context, added);
    });
}
