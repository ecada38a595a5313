import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Context } from '../lib/context.ts';
import { CliError, systemCode } from '../lib/errors.ts';
import { wholeNumber } from '../lib/option-values.ts';

export interface PassphraseOptions {
  readonly passphraseFile?: string;
  readonly passphraseFd?: number;
}

/** A passphrase is what stands between a stolen backup and every seed; each guess costs a thief a second. */
const shortest = 10;

/** Never an argument: every user of the machine can read those. */
export function passphraseOptions(command: Command): Command {
  return command
    .option('--passphrase-file <file>', 'read the passphrase from the first line of this file')
    .option('--passphrase-fd <n>', 'or of this open descriptor', wholeNumber(0, 1_000_000));
}

function given({ passphraseFile, passphraseFd }: PassphraseOptions): string | undefined {
  const from = passphraseFd ?? passphraseFile;
  if (from === undefined) return undefined;
  try {
    return readFileSync(from, 'utf8').split('\n')[0]?.replace(/\r$/, '') ?? '';
  } catch (error) {
    const why = systemCode(error);
    throw new CliError('usage', `the passphrase cannot be read from ${from} (${why})`);
  }
}

/** @throws CliError usage: a short one, or two that differ */
export async function newPassphrase({ prompt }: Context, options: PassphraseOptions): Promise<string> {
  const read = given(options);
  const first = read ?? (await prompt.askSecret('Passphrase for the backup: ')) ?? '';
  if ([...first].length < shortest)
    throw new CliError(
      'usage',
      `a passphrase of at least ${shortest} characters is needed; nothing was written`,
    );
  if (read !== undefined || !prompt.interactive) return first;
  const again = (await prompt.askSecret('The same once more: ')) ?? '';
  if (again === first) return first;
  throw new CliError('usage', 'the two passphrases differ; nothing was written');
}

export async function oldPassphrase({ prompt }: Context, options: PassphraseOptions): Promise<string> {
  return given(options) ?? (await prompt.askSecret('Passphrase of the backup: ')) ?? '';
}
