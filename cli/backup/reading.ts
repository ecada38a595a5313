import type { Command } from 'commander';
import { type BackupHeader, readBackup } from '../../daemon/api/backup-format.ts';
import type { Context } from '../lib/context.ts';
import { CliError } from '../lib/errors.ts';
import { oldPassphrase, type PassphraseOptions, passphraseOptions } from './passphrase.ts';
import { type OpenWith, opened } from './sealing.ts';

export interface OpenOptions extends PassphraseOptions {
  readonly identity?: string;
}

export function openOptions(command: Command): Command {
  return passphraseOptions(
    command.option('--identity <file>', 'File with the age private key that opens the backup'),
  );
}

export async function howToOpen(context: Context, options: OpenOptions): Promise<OpenWith> {
  if (options.identity !== undefined) return { identityFile: options.identity };
  return { passphrase: await oldPassphrase(context, options) };
}

export interface Verified {
  readonly header: BackupHeader;
  readonly entries: number;
}

/** Reads the backup to its end. @throws CliError refused */
export async function verified(file: string, how: OpenWith): Promise<Verified> {
  let header: BackupHeader | undefined;
  try {
    for await (const part of readBackup(await opened(file, how))) {
      if (part.kind === 'header') header = part.header;
      if (part.kind === 'end' && header !== undefined) return { header, entries: part.trailer.entries };
    }
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError('refused', error instanceof Error ? error.message : String(error));
  }
  throw new CliError('refused', `${file} is incomplete; use another backup`);
}

export function tellHeader({ output }: Context, { header, entries }: Verified): void {
  output.facts([
    ['taken', output.time(header.taken)],
    ['host', header.host],
    ['version', header.version],
    ['schema', String(header.schema)],
    ['store', header.storeId],
    ['commit', String(header.commit)],
    ['accounts', String(header.accounts)],
    ['audit events', String(Math.max(0, header.events.last - header.events.first + 1))],
    ['entries', String(entries)],
    ['master key id', header.keyId],
    ['contains the master key', header.withMasterKey ? 'yes' : 'no'],
  ]);
}
