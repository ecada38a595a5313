import type { Command } from 'commander';
import type { KeysView } from '../../daemon/api/views.ts';
import { keyIdsIn, withNewKey, withoutKey } from '../../daemon/client/master-key-file.ts';
import type { Context } from '../lib/context.ts';
import { warnOfFormerName } from '../lib/deprecated.ts';
import { CliError } from '../lib/errors.ts';
import { keysTimes } from '../lib/json-times.ts';
import { readKeyFile, replaceKeyFile } from '../lib/key-file.ts';
import { createProgress } from '../lib/progress.ts';

interface KeyOptions {
  readonly yes?: boolean;
  readonly json?: boolean;
  readonly keyFile?: string;
}

const lookEvery = 200;

export function addMasterKey(program: Command, context: Context): void {
  addCommands(program.command('master-key'), context, 'remove');
  addCommands(program.command('key', { hidden: true }), context, 'forget').hook('preAction', (_, command) => {
    const former = command.name();
    const current = former === 'forget' ? 'remove' : former;
    warnOfFormerName(context, `"sallyport key ${former}"`, `sallyport master-key ${current}`);
  });
}

function addCommands(key: Command, context: Context, removal: 'remove' | 'forget'): Command {
  key.description('Manage the master key that encrypts the store');
  key
    .command('list')
    .description('List the ids of the master keys, the current one first')
    .option('--json', 'Print JSON')
    .action(async (options: KeyOptions) => {
      const keys = await keysOf(context);
      if (options.json === true) context.output.json(keys, keysTimes);
      else
        context.output.table(
          ['KEY', 'STATE'],
          keys.ids.map((id) => [id, id === keys.current ? 'present' : olderState(keys)]),
        );
    });
  key
    .command('rotate')
    .description('Create a new master key and re-encrypt every record with it, while logins continue')
    .option(
      '--key-file <file>',
      'Only add a new key to this file, for a key passed on by the service manager',
    )
    .option('--yes', 'Do not ask for confirmation')
    .action((options: KeyOptions) => rotate(context, options));
  key
    .command(`${removal} <id>`)
    .description('Permanently remove an older master key that no record uses')
    .option('--yes', 'Do not ask for confirmation')
    .action((id: string, options: KeyOptions) => remove(context, id, options));
  return key;
}

async function keysOf(context: Context): Promise<KeysView> {
  const { keys } = await context.client().status();
  if (keys !== undefined) return keys;
  throw new CliError('refused', 'this version of sallyportd does not report its master keys');
}

function olderState({ rotation }: KeysView): string {
  return rotation.kind === 'done' ? 'no record uses it' : 'records use it';
}

async function rotate(context: Context, options: KeyOptions): Promise<void> {
  const { output, prompt } = context;
  if (options.keyFile !== undefined) {
    replaceKeyFile(options.keyFile, withNewKey(readKeyFile(options.keyFile)));
    output.note(`${options.keyFile} contains a new key, before the older ones`);
    return;
  }
  const keys = await keysOf(context);
  if (keys.credential) throw new CliError('refused', credentialText(keys));
  const text = readKeyFile(keys.file);
  const isBegun = keys.rotation.kind === 'running' || keys.rotation.kind === 'failed';
  // An earlier run may have ended before it informed the daemon: the newer key in the file is then the new one.
  const isWritten = keyIdsIn(text)[0] !== keys.current;
  if (!isBegun && !isWritten) {
    await prompt.confirm(
      `Create a new master key in ${keys.file}, and re-encrypt every record with it?`,
      options.yes === true,
    );
    replaceKeyFile(keys.file, withNewKey(text));
  }
  const adopted = await context.client().adoptKeys();
  await finished(context);
  const older = adopted.ids.filter((id) => id !== adopted.current);
  output.note(`every record uses ${adopted.current}`);
  output.note(
    `${keys.file} still contains ${older.join(', ')}, which older backups without their master key need. To remove one: sallyport master-key remove ID`,
  );
  output.note('Existing recovery keys remain valid. Make a new backup and a new copy of the master key now.');
}

function credentialText({ file }: KeysView): string {
  return [
    `the service manager passes on the master key (${file}), which must be encrypted again; run as root:`,
    'systemd-creds decrypt --name=master.key /etc/credstore.encrypted/sallyport-master.key /run/master.key',
    'sallyport master-key rotate --key-file /run/master.key',
    'systemd-creds encrypt --name=master.key /run/master.key /etc/credstore.encrypted/sallyport-master.key',
    'shred -u /run/master.key && systemctl restart sallyportd',
    'sallyportd re-encrypts every record after its start; for progress, run: sallyport master-key list',
  ].join('\n');
}

async function finished(context: Context): Promise<void> {
  const progress = createProgress(context.world);
  try {
    for (;;) {
      const { rotation } = await keysOf(context);
      if (rotation.kind === 'failed') throw new CliError('refused', rotation.why);
      if (rotation.kind !== 'running') return;
      const share = rotation.total === 0 ? 0 : Math.floor((100 * rotation.read) / rotation.total);
      progress.show(`re-encrypting records: ${share} %`);
      await new Promise((resolve) => setTimeout(resolve, lookEvery));
    }
  } finally {
    progress.clear();
  }
}

async function remove(context: Context, id: string, options: KeyOptions): Promise<void> {
  const { output, prompt } = context;
  const keys = await keysOf(context);
  if (!keys.ids.includes(id))
    throw new CliError('refused', `master key ${id} not found; run: sallyport master-key list`);
  if (id === keys.current)
    throw new CliError(
      'refused',
      `cannot remove master key ${id}: it is the current one; run: sallyport master-key rotate`,
    );
  if (keys.rotation.kind !== 'done')
    throw new CliError(
      'refused',
      `cannot remove master key ${id}: records still use it; run: sallyport master-key rotate`,
    );
  if (keys.credential)
    throw new CliError('refused', credentialText(keys).replace('master-key rotate', 'master-key remove ID'));
  await prompt.confirm(
    `Remove the master key ${id}? Older backups without their master key can then never be restored.`,
    options.yes === true,
  );
  const before = readKeyFile(keys.file);
  replaceKeyFile(keys.file, withoutKey(before, id));
  try {
    await context.client().adoptKeys();
  } catch (error) {
    // A record may use it by now: a daemon that did not release the key still needs it.
    if (readKeyFile(keys.file) === withoutKey(before, id)) replaceKeyFile(keys.file, before);
    throw error;
  }
  output.note(`master key ${id} removed`);
}
