import { open } from 'node:fs/promises';
import { readSshKeyLine } from '../../daemon/client/factor-input.ts';
import type { Context } from './context.ts';
import { CliError } from './errors.ts';

/** Larger than any public key; the daemon also has a limit. */
const mostBytes = 16_384;

/**
 * Reads the public key from a file, or from standard input for "-". Threat: a private key named by mistake is not sent.
 * @throws CliError usage, ControlError bad-key
 */
export async function readKeyFile(context: Context, path: string, option: string): Promise<string> {
  return readSshKeyLine(path === '-' ? await piped(context) : await contentsOf(path, option));
}

async function piped({ prompt }: Context): Promise<string> {
  if (prompt.interactive) return (await prompt.ask('Public key (one line): ')) ?? '';
  let text = '';
  while (text.length < mostBytes) {
    const line = await prompt.ask('');
    if (line === undefined) break;
    text += `${line}\n`;
  }
  return text;
}

async function contentsOf(path: string, option: string): Promise<string> {
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(mostBytes), 0, mostBytes);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new CliError(
      'usage',
      `cannot read the file of ${option} (${error instanceof Error ? error.message : String(error)}); name a .pub file`,
    );
  }
}
