import { createReadStream, readFileSync } from 'node:fs';
import type { ReadableStream as NodeStream } from 'node:stream/web';
import { Decrypter, Encrypter } from 'age-encryption';
import { CliError, systemCode } from '../lib/errors.ts';

/**
 * Backups are age files (age-encryption.org/v1), which can be opened without Sallyport: age -d FILE.
 */
export type SealTo = { readonly passphrase: string } | { readonly recipients: readonly string[] };
export type OpenWith = { readonly passphrase: string } | { readonly identityFile: string };

/** 2^18, the default of age: about a second for each guess. */
const workFactor = 18;

/** Encrypts in chunks of 64 KiB. @throws CliError usage: not an age public key */
export async function sealed(
  plain: AsyncIterable<Uint8Array>,
  to: SealTo,
): Promise<AsyncIterable<Uint8Array>> {
  const encrypter = new Encrypter();
  if ('passphrase' in to) {
    encrypter.setPassphrase(to.passphrase);
    encrypter.setScryptWorkFactor(workFactor);
  } else for (const recipient of to.recipients) addRecipient(encrypter, recipient);
  return (await encrypter.encrypt(streamOf(plain))) as NodeStream<Uint8Array>;
}

/** Reads nothing ahead: Node's default for byte streams would buffer 65 536 chunks. */
function streamOf(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { value, done } = await chunks.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await chunks.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

function addRecipient(encrypter: Encrypter, recipient: string): void {
  try {
    encrypter.addRecipient(recipient);
  } catch {
    throw new CliError(
      'usage',
      `${recipient} is not an age public key (age1…); to create a key pair: age-keygen -o key.txt`,
    );
  }
}

/**
 * Decrypts a backup. Fails if a byte is missing or was changed.
 * @throws CliError refused: wrong passphrase or key
 */
export async function opened(file: string, how: OpenWith): Promise<AsyncIterable<Uint8Array>> {
  const decrypter = new Decrypter();
  if ('passphrase' in how) decrypter.addPassphrase(how.passphrase);
  else
    for (const identity of identitiesIn(how.identityFile)) addIdentity(decrypter, identity, how.identityFile);
  const source = streamOf(createReadStream(file) as AsyncIterable<Uint8Array>);
  let plain: NodeStream<Uint8Array>;
  try {
    plain = (await decrypter.decrypt(source)) as NodeStream<Uint8Array>;
  } catch (error) {
    throw notOpened(file, error);
  }
  return checked(plain, file);
}

async function* checked(plain: NodeStream<Uint8Array>, file: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of plain) yield chunk;
  } catch (error) {
    throw notOpened(file, error);
  }
}

function notOpened(file: string, error: unknown): CliError {
  const why = systemCode(error, error instanceof Error ? error.message : String(error));
  return new CliError(
    'refused',
    `cannot open ${file} (${why}): it is incomplete or damaged, or the passphrase or key is wrong; nothing was changed`,
  );
}

function identitiesIn(file: string): readonly string[] {
  try {
    const lines = readFileSync(file, 'utf8').split('\n');
    return lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  } catch (error) {
    const why = systemCode(error);
    throw new CliError('usage', `cannot read the key file ${file} (${why})`);
  }
}

function addIdentity(decrypter: Decrypter, identity: string, file: string): void {
  try {
    decrypter.addIdentity(identity);
  } catch {
    throw new CliError('usage', `${file} is not an age key file; it must contain lines of AGE-SECRET-KEY-…`);
  }
}
