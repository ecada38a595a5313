import { type Command, InvalidArgumentError } from 'commander';
import type { ExemptBody } from '../../daemon/api/account-views.ts';
import { exemptionLimits } from '../../daemon/api/bounds.ts';
import type { Context } from '../lib/context.ts';
import { acceptFormerOption } from '../lib/deprecated.ts';
import { CliError } from '../lib/errors.ts';
import { exemptionTimes, factorTimes } from '../lib/json-times.ts';
import { lengthOfTime } from '../lib/option-values.ts';
import { parseDate } from '../lib/time.ts';

interface ExemptOptions {
  readonly until?: number;
  readonly for?: number;
  readonly service?: readonly string[];
  readonly reason?: string;
  readonly clear?: boolean;
  readonly json?: boolean;
}

export function addUserExempt(user: Command, context: Context): void {
  const { shortest, longest } = exemptionLimits;
  const command = user
    .command('exempt <user>')
    .description('Exempt an account temporarily (30 days at most)')
    .option('--until <date>', 'End of the exemption: 2025-03-01 (at 00:00), "2025-03-01 12:00"', dateOf)
    .option('--for <time>', 'Duration of the exemption: 8h, 3d', lengthOfTime(shortest, longest))
    .option('--service <name>', 'Only for this PAM service; may be repeated', (name, before?: string[]) => [
      ...(before ?? []),
      name,
    ])
    .option('--reason <text>', 'Reason, recorded with the exemption')
    .option('--clear', 'Clear the current exemption')
    .option('--json', 'Print JSON')
    .addHelpText(
      'after',
      [
        '',
        'While it runs, the account logs in with only its first factor, and each such login is in the audit trail.',
        'It does not apply to the portal, nor where a rule of the realm refuses. A new exemption replaces the one before.',
      ].join('\n'),
    )
    .action((name: string, options: ExemptOptions) => exempt(context, name, options));
  acceptFormerOption(command, context, '--end', '--clear');
}

async function exempt(context: Context, name: string, options: ExemptOptions): Promise<void> {
  const { output } = context;
  const { until, for: length, service: services, reason } = options;
  if ([until, length, options.clear].filter((each) => each !== undefined).length !== 1)
    throw new CliError('usage', 'give one of --until DATE, --for TIME and --clear');
  if (options.clear === true) {
    const ended = await context.client().endExemption(name);
    if (options.json === true) output.json(ended, { factor: factorTimes });
    else
      output.note(ended.changed ? `${ended.account} is no longer exempt` : `${ended.account} was not exempt`);
    return;
  }
  const body: ExemptBody = {
    until: until ?? context.world.now() + (length ?? 0),
    ...(services === undefined ? {} : { services }),
    ...(reason === undefined ? {} : { reason }),
  };
  const given = await context.client().exempt(name, body);
  if (options.json === true) output.json(given, exemptionTimes);
  else
    output.note(
      `${given.account} is exempt from the second factor until ${output.time(given.exemption.until)}${services === undefined ? '' : `, for ${services.join(', ')}`}`,
    );
}

function dateOf(text: string): number {
  const date = parseDate(text);
  if (date !== undefined) return date;
  throw new InvalidArgumentError('Expected a date: 2025-03-01, or "2025-03-01 12:00".');
}
