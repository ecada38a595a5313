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
      .description('everything in the store, sealed to a passphrase or a public key; "-" is standard output')
      .option(
        '--recipient <key>',
        'a public key of age (age1…) in place of a passphrase; may be repeated',
        collect,
      )
      .option('--with-master-key', 'the master key too: whoever can open the backup can read every seed')
      .option('--verify', 'read a backup that is there to its end, and say what it is')
      .option('--identity <file>', 'with --verify: the private key of age to open it with'),
  )
    .option('--json', 'as JSON')
    .action((file: string, options: BackupOptions) =>
      options.verify === true ? verify(context, file, options) : backup(context, file, options),
    );
}

async function backup(context: Context, file: string, options: BackupOptions): Promise<void> {
  const { world, output } = context;
  if (options.identity !== undefined) throw new CliError('usage', '--identity goes with --verify');
  const { passphraseFile, passphraseFd } = options;
  if (options.recipient !== undefined && (passphraseFile !== undefined || passphraseFd !== undefined))
    throw new CliError('usage', 'a backup is sealed to a passphrase or to --recipient, not to both');
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
  output.note(file === '-' ? 'the backup is written' : `the backup is in ${file}`);
  if (withMasterKey) output.warn('it holds the master key: whoever can open it can read every seed');
  else
    output.note(
      'It does not hold the master key: keep a copy of that elsewhere, or no restore can read it (--with-master-key puts it in).',
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
  context.output.note(`${file} is whole`);
}
