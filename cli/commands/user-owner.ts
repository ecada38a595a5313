import type { Command } from 'commander';
import type { UserView } from '../../daemon/api/views.ts';
import { ControlError } from '../../daemon/client/client.ts';
import type { Context } from '../lib/context.ts';

/** What an administrator decides about an account that is gone, or is another person by now. */
export function addUserOwner(user: Command, context: Context): void {
  user
    .command('forget <user>')
    .description('Remove all that is stored of an account')
    .option('--yes', 'Do not ask')
    .addHelpText(
      'after',
      [
        '',
        'For an account that is gone, or whose name another person has by now. Its events stay in the audit trail.',
        'An account that still exists begins again without a factor. While the name service cannot be asked, nothing',
        'is removed.',
      ].join('\n'),
    )
    .action(async (name: string, { yes = false }: { yes?: boolean }) => {
      const { output, prompt } = context;
      if (!yes) output.warn(lossText(await context.client().user(name)));
      await prompt.confirm(`Remove all that is stored of ${name}?`, yes);
      const { account } = await context.client().forget(name);
      output.note(`nothing is stored of ${account} any more`);
    });
  user
    .command('move <old> <new>')
    .summary('Give the record of an account to its new name')
    .description(
      'Give the record of an account to its new name; with one name twice, to the new uid of that name',
    )
    .option('--yes', 'Do not ask: it is the same person, whatever the uids are')
    .addHelpText(
      'after',
      [
        '',
        'After "usermod -l NEW OLD": sallyport user move OLD NEW. After "usermod -u UID NAME": sallyport user move NAME NAME.',
        'Factors, locks and the grace period go along; an invite and what is remembered do not.',
      ].join('\n'),
    )
    .action(async (from: string, to: string, { yes = false }: { yes?: boolean }) => {
      const { output } = context;
      const { account } = await moved(context, from, to, yes);
      output.note(
        from === to
          ? `the record of ${account} has its uid now`
          : `the record of ${from} is that of ${account} now`,
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
  return `${account} ${exists}; ${factors.length} ${factors.length === 1 ? 'factor' : 'factors'} of it would be gone`;
}
