import type { Command } from 'commander';
import type { UserView } from '../../daemon/api/views.ts';
import { ControlError } from '../../daemon/client/client.ts';
import { pluralise } from '../../daemon/lib/units.ts';
import type { Context } from '../lib/context.ts';

/** Decisions of an administrator about an account that is gone, or whose name belongs to another person. */
export function addUserOwner(user: Command, context: Context): void {
  user
    .command('forget <user>')
    .description('Remove the record of an account')
    .option('--yes', 'Do not ask for confirmation')
    .addHelpText(
      'after',
      [
        '',
        'For an account that is gone, or whose name now belongs to another person. Its events stay in the audit trail.',
        'An account that still exists then has no factor. While the name service is unavailable, nothing is removed.',
      ].join('\n'),
    )
    .action(async (name: string, { yes = false }: { yes?: boolean }) => {
      const { output, prompt } = context;
      if (!yes) output.warn(lossText(await context.client().user(name)));
      await prompt.confirm(`Remove the record of ${name}?`, yes);
      const { account } = await context.client().forget(name);
      output.note(`the record of ${account} is removed`);
    });
  user
    .command('move <old> <new>')
    .summary('Move the record of an account to its new name')
    .description(
      'Move the record of an account to its new name; with the same name twice, to the new uid of that name',
    )
    .option('--yes', 'Do not ask for confirmation: it is the same person, although the uids differ')
    .addHelpText(
      'after',
      [
        '',
        'After "usermod -l NEW OLD": sallyport user move OLD NEW. After "usermod -u UID NAME": sallyport user move NAME NAME.',
        'Moves factors, lockouts and the grace period, but not invites and remembered logins.',
      ].join('\n'),
    )
    .action(async (from: string, to: string, { yes = false }: { yes?: boolean }) => {
      const { output } = context;
      const { account } = await moved(context, from, to, yes);
      output.note(
        from === to
          ? `the record of ${account} now has its current uid`
          : `the record of ${from} now belongs to ${account}`,
      );
    });
}

async function moved(context: Context, from: string, to: string, yes: boolean) {
  const move = (confirmed: boolean) => context.client().move(from, { to, confirmed });
  try {
    return await move(yes);
  } catch (error) {
    if (!(error instanceof ControlError) || error.code !== 'yes-needed') throw error;
    context.output.warn(error.message);
    await context.prompt.confirm('Is it the same person?', false);
    return move(true);
  }
}

function lossText({ account, uid, factors }: UserView): string {
  const exists = uid === undefined ? 'is not known to the name service' : `exists (uid ${uid})`;
  return `${account} ${exists}; this removes ${pluralise(factors.length, 'factor')}`;
}
