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
      .description('Restore a backup while sallyportd is stopped; used codes stay used')
      .option('--dry-run', 'Report the result of the restore, and change nothing')
      .option('--master-key <file>', 'Earlier master key file, for a backup without its master key')
      .option('--generate-key', 'Create a new master key, because the old one is lost')
      .option('--ignore-store', 'Do not read the existing store; voids all recovery keys')
      .option('--yes', 'Do not ask for confirmation')
      .option('--json', 'Print JSON, one object per line'),
  ).action((file: string, options: RestoreOptions) => restore(context, file, options));
  acceptFormerOption(command, context, '--old-key', '--master-key');
  acceptFormerOption(command, context, '--new-key', '--generate-key');
}

async function restore(context: Context, file: string, options: RestoreOptions): Promise<void> {
  const { output, prompt } = context;
  if (!existsSync(file)) throw new CliError('usage', `${file} not found; check the path`);
  const dryRun = options.dryRun === true;
  await prompt.confirm('Replace the store with the backup?', dryRun || options.yes === true);
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
      ? `${pluralise(Number(accounts), 'account')} would be restored; nothing was changed`
      : `restored: ${pluralise(Number(accounts), 'account')}, at commit ${commit}`,
  );
  if (storeWasNewest !== true)
    output.warn(
      'no complete store was found, so codes used and factors removed or disabled since the backup are unknown: all recovery keys are void',
    );
  warnOfHeld(context, done);
  if (typeof aside === 'string')
    output.note(`the replaced store is kept in ${aside}; to remove it: sallyport store discard`);
  if (!dryRun) output.note('start the daemon: systemctl start sallyportd');
}
