import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { pluralise } from '../../daemon/lib/units.ts';
import { howToOpen, type OpenOptions, openOptions } from '../backup/reading.ts';
import { opened } from '../backup/sealing.ts';
import type { Context } from '../lib/context.ts';
import { acceptFormerOption } from '../lib/deprecated.ts';
import { CliError } from '../lib/errors.ts';
import { doneTimes } from '../lib/json-times.ts';
import { warnOfHeld, workOnStore } from '../lib/store-job.ts';

interface RestoreOptions extends OpenOptions {
  readonly dryRun?: boolean;
  readonly ignoreStore?: boolean;
  readonly generateKey?: boolean;
  readonly masterKey?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

export function addRestore(program: Command, context: Context): void {
  const command = openOptions(
    program
      .command('restore <file>')
      .description('while sallyportd is stopped: a store out of a backup; nothing that was spent comes back')
      .option('--dry-run', 'do all of it but the change, and say what would come of it')
      .option('--master-key <file>', 'a master key file of before, for a backup without its master key')
      .option('--generate-key', 'the master key is lost: make a new one')
      .option('--ignore-store', 'do not read the store that is there: all recovery keys are void')
      .option('--yes', 'do not ask')
      .option('--json', 'as JSON, one object a line'),
  ).action((file: string, options: RestoreOptions) => restore(context, file, options));
  acceptFormerOption(command, context, '--old-key', '--master-key');
  acceptFormerOption(command, context, '--new-key', '--generate-key');
}

async function restore(context: Context, file: string, options: RestoreOptions): Promise<void> {
  const { output, prompt } = context;
  if (!existsSync(file)) throw new CliError('usage', `there is no ${file}`);
  const dryRun = options.dryRun === true;
  await prompt.confirm(
    'Put what is in the backup in the place of the store?',
    dryRun || options.yes === true,
  );
  const plain = await opened(file, await howToOpen(context, options));
  const words = [
    '--restore',
    ...(dryRun ? ['--dry-run'] : []),
    ...(options.ignoreStore === true ? ['--ignore-store'] : []),
    ...(options.generateKey === true ? ['--generate-key'] : []),
    ...(options.masterKey === undefined ? [] : ['--master-key', resolve(options.masterKey)]),
  ];
  const { done } = await workOnStore(context, words, options.json === true, plain);
  if (options.json === true) {
    output.jsonLine({ done }, doneTimes);
    return;
  }
  const { accounts, commit, aside, storeWasNewest } = done;
  output.note(
    dryRun
      ? `${pluralise(Number(accounts), 'account')} would be there; nothing was changed`
      : `restored: ${pluralise(Number(accounts), 'account')}, at commit ${commit}`,
  );
  if (storeWasNewest !== true)
    output.warn(
      'there was no whole store beside it, so that nobody knows what was spent, removed or disabled since the backup: all recovery keys are void',
    );
  warnOfHeld(context, done);
  if (typeof aside === 'string')
    output.note(`the store of before is kept in ${aside}; "sallyport store discard" removes it`);
  if (!dryRun) output.note('start the daemon: systemctl start sallyportd');
}
