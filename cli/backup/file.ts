import { once } from 'node:events';
import { createNewFile, type NewFile } from '../../daemon/lib/write-file.ts';
import type { World } from '../lib/environment.ts';
import { CliError, cannotWrite } from '../lib/errors.ts';

/**
 * Writes a new file that only its owner can read, durable before it returns. Invariants: an existing file is never
 * touched, and an incomplete one is removed.
 *
 * @throws CliError refused, and errors of the chunks
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

/** Writes to standard output, which must be a pipe. */
export async function writeOut({ output }: World, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  if (output.isTTY === true)
    throw new CliError('usage', 'a backup cannot be written to a terminal; name a file, or use a pipe');
  for await (const chunk of chunks) if (!output.write(chunk)) await once(output, 'drain');
}
