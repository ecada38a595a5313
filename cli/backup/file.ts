import { once } from 'node:events';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CliError, systemCode } from '../errors.ts';
import type { World } from '../world.ts';

/**
 * Writes a new file that only its owner can read, durable before it returns. MUST hold: a file that is there is
 * never touched, and one that could not be finished does not stay.
 *
 * @throws CliError refused
 */
export async function writeNew(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, 'wx', 0o600);
  } catch (error) {
    throw cannotWrite(path, error);
  }
  try {
    for await (const chunk of chunks) await writeAll(file, chunk, path);
    await file.sync().catch((error: unknown) => {
      throw cannotWrite(path, error);
    });
    await file.close();
    await syncFolderOf(path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(path, { force: true });
    throw error;
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array, path: string): Promise<void> {
  try {
    for (let done = 0; done < chunk.length; ) done += (await file.write(chunk, done)).bytesWritten;
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

async function syncFolderOf(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function cannotWrite(path: string, error: unknown): CliError {
  const code = systemCode(error);
  const next = code === 'EEXIST' ? 'it is there already and was left as it is; take another name' : code;
  return new CliError('refused', `${path} cannot be written: ${next}`);
}

/** To standard output, for a pipe. */
export async function writeOut({ output }: World, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  if (output.isTTY === true)
    throw new CliError('usage', 'a backup is not for a terminal; name a file, or send it into a pipe');
  for await (const chunk of chunks) if (!output.write(chunk)) await once(output, 'drain');
}
