import type { Command } from 'commander';
import type { Context } from '../context.ts';

interface ExplainOptions {
  readonly service: string;
  readonly from?: string;
  readonly tty?: string;
  readonly json?: boolean;
}

export function addExplain(program: Command, context: Context): void {
  program
    .command('explain <user>')
    .description('what a login would meet, and the line of the configuration that says so')
    .requiredOption('--service <name>', 'the PAM service: sshd, sudo, su, login')
    .option('--from <ip>', 'the address that the login comes from')
    .option('--tty <name>', 'the terminal: tty1, pts/3')
    .option('--json', 'as JSON')
    .action(async (user: string, options: ExplainOptions) => {
      const { json, ...query } = options;
      const explained = await context.client().explain(user, query);
      if (json === true) context.output.json(explained);
      else for (const line of explained.lines) context.output.line(line);
    });
}
