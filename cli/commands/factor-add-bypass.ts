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

export function addFactorAddBypass(add: Command, context: Context): void {
  const { shortest, longest, usual } = bypassLimits;
  add
    .command('bypass <user>')
    .description('a code for one login, to be read to somebody on the phone; it ends the one before it')
    .addOption(
      new Option('--for <time>', `how long it is good, up to ${formatDuration(longest)}`)
        .argParser(lengthOfTime(shortest, longest))
        .default(usual, formatDuration(usual)),
    )
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      '\nBe sure who is on the phone: whoever has the password and this code is in. Nobody gives one to themselves.',
    )
    .action(async (user: string, options: BypassOptions) => {
      const added = await context.client().giveBypass(user, { forMs: options.for });
      if (options.json === true) {
        context.output.json(added, { factor: factorTimes, replaced: factorTimes });
        return;
      }
      context.output.line(added.bypassCode);
      context.output.note(
        `Good for one login of ${added.account}, until ${context.output.time(added.factor.until ?? 0)}.`,
      );
      tell(context, added);
    });
}
