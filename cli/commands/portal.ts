import type { Command } from 'commander';
import type { Context } from '../lib/context.ts';
import { CliError } from '../lib/errors.ts';
import { signIn } from '../lib/sign-in.ts';
import { controlSocket } from '../lib/socket.ts';

export function addPortal(program: Command, context: Context): void {
  const portal = program.command('portal').description('Use the web portal');
  portal
    .command('link')
    .description(
      'Create a single-use sign-in link for yourself, valid for ten minutes, if your account has no password',
    )
    .option('--json', 'Print JSON')
    .action(async (options: { json?: boolean }) => {
      const step = await signIn(controlSocket(context.configFile()), 'uid', context);
      if (step.kind !== 'link')
        throw new CliError('refused', 'sallyportd returned no link; run: sallyport doctor');
      const { link, url, expires } = step;
      if (options.json === true) context.output.json({ link, url, expires }, { expires: 'time' });
      else {
        context.output.note(
          url === undefined
            ? 'The configuration has no [portal] origins, so this is only the secret of the link; enter it with --link. Anyone who has it can sign in as you until it is used.'
            : 'Open this in your browser. Anyone who has it can sign in as you until it is used.',
        );
        context.output.line(url ?? link);
      }
    });
}
