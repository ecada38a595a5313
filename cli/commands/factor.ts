import { userInfo } from 'node:os';
import type { Command } from 'commander';
import type { ChangeView, FactorSummary } from '../../daemon/api/views.ts';
import { ControlError } from '../../daemon/client/client.ts';
import { addFactorAdd } from '../factors.ts';
import type { Context } from '../lib/context.ts';
import { CliError } from '../lib/errors.ts';
import { factorTimes } from '../lib/json-times.ts';
import { factorTable } from '../lib/output.ts';

export function addFactor(program: Command, context: Context): void {
  const factor = program.command('factor').description("Manage an account's second factors");
  addFactorAdd(factor, context);
  factor
    .command('list [user]')
    .summary('List the factors of an account')
    .description(
      'List the factors of an account (default: your own). Columns in a pipe: id, kind, name, state, added, last used, detail',
    )
    .option('--json', 'Print JSON')
    .action(async (named: string | undefined, options: { json?: boolean }) => {
      const user = named ?? userInfo().username;
      const factors = await context.client().factors(user);
      if (options.json === true) context.output.json({ factors }, { factors: factorTimes });
      else factorTable(context.output, factors);
    });
  factor
    .command('rename <user> <factor> <name>')
    .description('Rename a factor')
    .action(async (user: string, wanted: string, name: string) => {
      const found = await find(context, user, wanted);
      tell(context, await context.client().renameFactor(user, found.id, name), 'is the new name');
    });
  factor
    .command('enable <user> <factor>')
    .description('Enable a disabled factor')
    .action(async (user: string, wanted: string) => {
      const found = await find(context, user, wanted);
      tell(context, await context.client().enableFactor(user, found.id), 'is enabled');
    });
  factor
    .command('disable <user> <factor>')
    .description('Disable a factor without removing it')
    .option('--yes', 'Do not ask for confirmation')
    .action(async (user: string, wanted: string, options: { yes?: boolean }) => {
      const found = await find(context, user, wanted);
      const change = (confirmed: boolean) => context.client().disableFactor(user, found.id, confirmed);
      tell(context, await confirmed(context, change, options.yes === true), 'is disabled');
    });
  factor
    .command('remove <user> <factor>')
    .description('Remove a factor permanently')
    .option('--yes', 'Do not ask for confirmation')
    .action(async (user: string, wanted: string, options: { yes?: boolean }) => {
      const found = await find(context, user, wanted);
      const question = `Remove ${found.kind} "${found.name}" of ${user} permanently?`;
      await context.prompt.confirm(question, options.yes === true);
      const change = (confirmed: boolean) => context.client().removeFactor(user, found.id, confirmed);
      tell(context, await confirmed(context, change, options.yes === true), 'is removed');
    });
}

/**
 * Makes a change; asks first if sallyportd reports an impact.
 * @param isConfirmed whether --yes was given: the impact is then reported with the result
 */
async function confirmed(
  { output, prompt }: Context,
  change: (isConfirmed: boolean) => Promise<ChangeView>,
  isConfirmed: boolean,
): Promise<ChangeView> {
  try {
    return await change(isConfirmed);
  } catch (error) {
    if (!(error instanceof ControlError) || error.code !== 'yes-needed') throw error;
    output.warn(error.message);
    await prompt.confirm('Continue?', false);
    return change(true);
  }
}

/** Finds a factor by id, by name in any case, or by kind if there is only one of it. @throws CliError no-such-factor */
async function find(context: Context, user: string, wanted: string): Promise<FactorSummary> {
  const factors = await context.client().factors(user);
  const named = (name: string) => name.normalize('NFC').trim().toLowerCase();
  const found =
    factors.find(({ id }) => id === wanted) ?? factors.find(({ name }) => named(name) === named(wanted));
  const ofKind = factors.filter(({ kind }) => kind === wanted);
  const one = found ?? (ofKind.length === 1 ? ofKind[0] : undefined);
  if (one !== undefined) return one;
  throw new CliError(
    'no-such-factor',
    `${user} has no factor "${wanted}"; "sallyport factor list ${user}" shows ids and names`,
  );
}

function tell({ output }: Context, done: ChangeView, what: string): void {
  output.note(
    `${done.account}: "${done.factor?.name ?? ''}" ${what}${done.changed ? '' : ' already; nothing changed'}`,
  );
  if (done.warning !== undefined) output.warn(done.warning);
}
