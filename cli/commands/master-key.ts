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
  key.description('the master key that everything is sealed with');
  key
    .command('list')
    .description('the ids of the master keys, the present one first')
    .option('--json', 'as JSON')
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
    .description('a new master key; everything is sealed anew with it, while logins go on')
    .option(
      '--key-file <file>',
      'only put a new key into this file, for one that the service manager passes on',
    )
    .option('--yes', 'do not ask')
    .action((options: KeyOptions) => rotate(context, options));
  key
    .command(`${removal} <id>`)
    .description('remove an older master key for good, once nothing is sealed with it')
    .option('--yes', 'do not ask')
    .action((id: string, options: KeyOptions) => remove(context, id, options));
  return key;
}

async function keysOf(context: Context): Promise<KeysView> {
  const { keys } = await context.client().status();
  if (keys !== undefined) return keys;
  throw new CliError('refused', 'this sallyportd says nothing of its master keys');
}

function olderState({ rotation }: KeysView): string {
  return rotation.kind === 'done' ? 'nothing is sealed with it' : 'something is sealed with it';
}

async function rotate(context: Context, options: KeyOptions): Promise<void> {
  const { output, prompt } = context;
  if (options.keyFile !== undefined) {
    replaceKeyFile(options.keyFile, withNewKey(readKeyFile(options.keyFile)));
    output.note(`${options.keyFile} holds a new key, in front of those of before`);
    return;
  }
  const keys = await keysOf(context);
  if (keys.credential) throw new CliError('refused', credentialText(keys));
  const text = readKeyFile(keys.file);
  const isBegun = keys.rotation.kind === 'running' || keys.rotation.kind === 'failed';
  // Whoever ended the command before it told the daemon: the key that is there already is the new one.
  const isWritten = keyIdsIn(text)[0] !== keys.current;
  if (!isBegun && !isWritten) {
    await prompt.confirm(
      `Make a new master key in ${keys.file}, and seal everything with it?`,
      options.yes === true,
    );
    replaceKeyFile(keys.file, withNewKey(text));
  }
  const adopted = await context.client().adoptKeys();
  await finished(context);
  const older = adopted.ids.filter((id) => id !== adopted.current);
  output.note(`everything is sealed with ${adopted.current}`);
  output.note(
    `${keys.file} still holds ${older.join(', ')}: older backups without their master key need it. "sallyport master-key remove ID" removes it.`,
  );
  output.note(
    'Recovery keys stay usable until they are renewed. Make a new backup, and a new copy of the master key, now.',
  );
}

function credentialText({ file }: KeysView): string {
  return [
    `the master key is passed on by the service manager (${file}), so that it has to be encrypted anew. As root:`,
    'systemd-creds decrypt --name=master.key /etc/credstore.encrypted/sallyport-master.key /run/master.key',
    'sallyport master-key rotate --key-file /run/master.key',
    'systemd-creds encrypt --name=master.key /run/master.key /etc/credstore.encrypted/sallyport-master.key',
    'shred -u /run/master.key && systemctl restart sallyportd',
    'sallyportd seals everything anew once it is started; "sallyport master-key list" says how far it came',
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
      progress.show(`sealing everything anew: ${share} %`);
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
    throw new CliError('refused', `there is no master key ${id}; see: sallyport master-key list`);
  if (id === keys.current)
    throw new CliError(
      'refused',
      `everything is sealed with ${id}; it can go after: sallyport master-key rotate`,
    );
  if (keys.rotation.kind !== 'done')
    throw new CliError('refused', `something is still sealed with ${id}; first: sallyport master-key rotate`);
  if (keys.credential)
    throw new CliError('refused', credentialText(keys).replace('master-key rotate', 'master-key remove ID'));
  await prompt.confirm(
    `Remove the master key ${id}? Backups of its time that do not hold it can never be opened again.`,
    options.yes === true,
  );
  const before = readKeyFile(keys.file);
  replaceKeyFile(keys.file, withoutKey(before, id));
  try {
    await context.client().adoptKeys();
  } catch (error) {
    // Something may be sealed with it by now: a daemon that did not let it go still needs it.
    if (readKeyFile(keys.file) === withoutKey(before, id)) replaceKeyFile(keys.file, before);
    throw error;
  }
  output.note(`${id} is removed`);
}
