import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Context } from '../lib/context.ts';
import { CliError, systemCode } from '../lib/errors.ts';
import { wholeNumber } from '../lib/option-values.ts';

export interface PassphraseOptions {
  readonly passphraseFile?: string;
  readonly passphraseFd?: number;
}

/** Threat: guessing the passphrase of a stolen backup reveals every secret; each guess takes about a second. */
const shortest = 10;

/** Never an argument: every user of the machine can read arguments. */
export function passphraseOptions(command: Command): Command {
  return command
    .option('--passphrase-file <file>', 'Read the passphrase from the first line of this file')
    .option(
      '--passphrase-fd <n>',
      'Read the passphrase from this open file descriptor',
      wholeNumber(0, 1_000_000),
    );
}

function given({ passphraseFile, passphraseFd }: PassphraseOptions): string | undefined {
  const from = passphraseFd ?? passphraseFile;
  if (from === undefined) return undefined;
  try {
    return readFileSync(from, 'utf8').split('\n')[0]?.replace(/\r$/, '') ?? '';
  } catch (error) {
    const why = systemCode(error);
    throw new CliError('usage', `cannot read the passphrase from ${from} (${why})`);
  }
}

/** @throws CliError usage: too short, or the two entries differ */
export async function newPassphrase({ prompt }: Context, options: PassphraseOptions): Promise<string> {
  const read = given(options);
  const first = read ?? (await prompt.askSecret('Passphrase for the backup: ')) ?? '';
  if ([...first].length < shortest)
    throw new CliError('usage', `the passphrase is shorter than ${shortest} characters; nothing was written`);
  if (read !== undefined || !prompt.interactive) return first;
  const again = (await prompt.askSecret('Repeat the passphrase: ')) ?? '';
  if (again === first) return first;
  throw new CliError('usage', 'the two passphrases differ; nothing was written');
}

export async function oldPassphrase({ prompt }: Context, options: PassphraseOptions): Promise<string> {
  return given(options) ?? (await prompt.askSecret('Passphrase of the backup: ')) ?? '';
}
