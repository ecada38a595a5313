import { once } from 'node:events';
import { createNewFile, type NewFile } from '../../daemon/lib/write-file.ts';
import type { World } from '../lib/environment.ts';
import { CliError, cannotWrite } from '../lib/errors.ts';

/**
 * Writes a new file that only its owner can read, durable before it returns. Invariants: a file that is there is
 * never touched, and one that could not be finished does not stay.
 *
 * @throws CliError refused, whatever the chunks throw
 */
export async function writeNew(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const orRefused = async <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw new CliError('refused', cannotWrite(path, error));
    });
  const file: NewFile = await orRefused(createNewFile(path));
  try {
    for await (const chunk of chunks) await orRefused(file.write(chunk));
    await orRefused(file.finish());
  } catch (error) {
    await file.abandon();
    throw error;
  }
}

/** To standard output, for a pipe. */
export async function writeOut({ output }: World, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  if (output.isTTY === true)
    throw new CliError('usage', 'a backup is not for a terminal; name a file, or send it into a pipe');
  for await (const chunk of chunks) if (!output.write(chunk)) await once(output, 'drain');
}
