import type { Command } from 'commander';
import type { Context } from '../context.ts';

export function addReload(program: Command, context: Context): void {
  program
    .command('reload')
    .description('have the daemon read its configuration again; a bad one changes nothing')
    .action(async () => {
      const { file, realms, portal, problem } = await context.client().reload();
      context.output.note(`${file} is in force: ${realms} ${realms === 1 ? 'realm' : 'realms'}`);
      if (portal === true)
        context.output.note(
          'The portal reads [portal] and [webauthn] when it starts: restart it where they changed.',
        );
      if (problem !== undefined) context.output.warn(problem);
    });
}
