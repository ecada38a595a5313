import type { Command } from 'commander';
import type { Context } from '../lib/context.ts';
import { CliError } from '../lib/errors.ts';
import { signIn } from '../lib/sign-in.ts';
import { controlSocket } from '../lib/socket.ts';

export function addPortal(program: Command, context: Context): void {
  const portal = program.command('portal').description('the web portal');
  portal
    .command('link')
    .description(
      'a sign-in link for yourself where your account has no password, good once and for ten minutes',
    )
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const step = await signIn(controlSocket(context.configFile()), 'uid', context);
      if (step.kind !== 'link') throw new CliError('refused', 'the daemon gave no link');
      const { link, url, expires } = step;
      if (options.json === true) context.output.json({ link, url, expires }, { expires: 'time' });
      else {
        context.output.note(
          url === undefined
            ? 'No address of the portal is configured ([portal] origins), so this is only the secret of the link: the command takes it with --link. Anyone who has it can sign in as you until it is used.'
            : 'Open this in your browser. Anyone who has it can sign in as you until it is used.',
        );
        context.output.line(url ?? link);
      }
    });
}
