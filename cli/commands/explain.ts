import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { readKeyFile } from '../ssh-key-file.ts';

interface ExplainOptions {
  readonly service: string;
  readonly from?: string;
  readonly tty?: string;
  readonly sshKey?: string;
  readonly json?: boolean;
}

export function addExplain(program: Command, context: Context): void {
  program
    .command('explain <user>')
    .description('what a login would meet, and the line of the configuration that says so')
    .requiredOption('--service <name>', 'the PAM service: sshd, sudo, su, login')
    .option('--from <ip>', 'the address, or with UseDNS of sshd the host name, that the login comes from')
    .option('--tty <name>', 'the terminal: tty1, pts/3')
    .option('--ssh-key <file>', 'the .pub file of the FIDO key that sshd has verified; "-": standard input')
    .option('--json', 'as JSON')
    .action(async (user: string, options: ExplainOptions) => {
      const { json, sshKey: file, ...query } = options;
      const used = file === undefined ? {} : { sshKey: await readKeyFile(context, file, '--ssh-key') };
      const explained = await context.client().explain(user, { ...query, ...used });
      if (json === true) context.output.json(explained);
      else for (const line of explained.lines) context.output.line(line);
    });
}
