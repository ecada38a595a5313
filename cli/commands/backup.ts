import type { Command } from 'commander';
import { writeNew, writeOut } from '../backup/file.ts';
import { newPassphrase, type PassphraseOptions, passphraseOptions } from '../backup/passphrase.ts';
import { howToOpen, tellHeader, verified } from '../backup/reading.ts';
import { type SealTo, sealed } from '../backup/sealing.ts';
import type { Context } from '../lib/context.ts';
import { CliError } from '../lib/errors.ts';
import { createProgress, type Progress } from '../lib/progress.ts';

interface BackupOptions extends PassphraseOptions {
  readonly recipient?: readonly string[];
  readonly identity?: string;
  readonly withMasterKey?: boolean;
  readonly verify?: boolean;
  readonly json?: boolean;
}

const collect = (one: string, before: readonly string[] = []): readonly string[] => [...before, one];

export function addBackup(program: Command, context: Context): void {
  passphraseOptions(
    program
      .command('backup <file>')
      .description('Create an encrypted backup of the store; "-" writes to standard output')
      .option(
        '--recipient <key>',
        'Encrypt to this age public key (age1…) instead of a passphrase; may be repeated',
        collect,
      )
      .option(
        '--with-master-key',
        'Include the master key: anyone who can open the backup can then read every secret',
      )
      .option('--verify', 'Read an existing backup to its end and describe it')
      .option('--identity <file>', 'With --verify: file with the age private key that opens it'),
  )
    .option('--json', 'Print JSON')
    .action((file: string, options: BackupOptions) =>
      options.verify === true ? verify(context, file, options) : backup(context, file, options),
    );
}

async function backup(context: Context, file: string, options: BackupOptions): Promise<void> {
  const { world, output } = context;
  if (options.identity !== undefined) throw new CliError('usage', '--identity requires --verify');
  const { passphraseFile, passphraseFd } = options;
  if (options.recipient !== undefined && (passphraseFile !== undefined || passphraseFd !== undefined))
    throw new CliError('usage', 'a backup is encrypted with a passphrase or to --recipient, not both');
  const to: SealTo =
    options.recipient === undefined
      ? { passphrase: await newPassphrase(context, options) }
      : { recipients: options.recipient };
  const withMasterKey = options.withMasterKey === true;
  const progress = createProgress(world);
  try {
    const plain = counted(context.client().backup(withMasterKey), progress);
    const chunks = await sealed(plain, to);
    await (file === '-' ? writeOut(world, chunks) : writeNew(file, chunks));
  } finally {
    progress.clear();
  }
  output.note(file === '-' ? 'backup written' : `backup written to ${file}`);
  if (withMasterKey)
    output.warn('the backup contains the master key: anyone who can open it can read every secret');
  else
    output.note(
      'The backup does not contain the master key. Keep a copy of the key elsewhere: a restore needs it (--with-master-key includes it).',
    );
}

async function* counted(chunks: AsyncIterable<Buffer>, progress: Progress): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    progress.show(`backup: ${(bytes / 1e6).toFixed(1)} MB`);
    yield chunk;
  }
}

async function verify(context: Context, file: string, options: BackupOptions): Promise<void> {
  const found = await verified(file, await howToOpen(context, options));
  if (options.json === true)
    context.output.json({ ...found.header, entries: found.entries, whole: true }, { taken: 'time' });
  else tellHeader(context, found);
  context.output.note(`${file} is complete`);
}
