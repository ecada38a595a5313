import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Context } from '../lib/context.ts';
import { runDaemon } from '../lib/environment.ts';
import { exitStatus } from '../lib/errors.ts';

export function addInit(program: Command, context: Context): void {
  program
    .command('init')
    .description('Create the configuration, master key and store')
    .option(
      '--root <dir>',
      'Put everything below one directory, owned by the caller: for development and tests',
    )
    .action(async (options: { root?: string }) => {
      const root = options.root === undefined ? undefined : resolve(options.root);
      const place = root === undefined ? ['--config', context.configFile()] : ['--root', root];
      const status = await runDaemon(context.world, ['--init', ...place]);
      context.end(status);
      if (status === exitStatus.done) tellNext(context, root);
    });
}

function tellNext({ output, configFile }: Context, root: string | undefined): void {
  const file = root === undefined ? configFile() : `${root}/etc/sallyport.toml`;
  const config = root === undefined ? '' : `--config ${file} `;
  output.note('');
  output.note('Next:');
  output.note(
    `  set the factors each realm requires in ${file}, then check it: sallyport ${config}realm check`,
  );
  output.note(
    root === undefined
      ? '  start the daemon: systemctl start sallyportd'
      : `  start the daemon: sallyportd --config ${file}`,
  );
  output.note(`  add a factor: sallyport ${config}factor add totp USER`);
  output.note(`  show what a login would be asked for: sallyport ${config}explain USER --service sshd`);
}
