import { open, readFile } from 'node:fs/promises';
import type { ValidationServers } from '../config/contract.ts';
import { messageOf, unreachable } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { AskServers } from './validations.ts';
import { createValidationClient, type ValidationClient } from './yubikey-otp-validation.ts';

/**
 * The validation servers that the configuration names.
 *
 * Invariants:
 * - the API key is read for each query, off the event loop, from a file that others cannot read, and never logged;
 * - any error here is "unavailable": no verdict, and it counts against no account.
 */
export function createAskServers(log: Log): AskServers {
  return async (servers, otp, within, ended) => {
    let client: ValidationClient;
    try {
      client = await clientOf(servers, within);
    } catch (error) {
      log.error('validation-unavailable', { why: messageOf(error) });
      return 'unavailable';
    }
    const validation = await client.validate(otp, ended);
    // The helper process has gone: nothing is known of the servers.
    if (ended?.aborted === true) return 'unavailable';
    switch (validation.outcome) {
      case 'valid':
        return 'valid';
      case 'refused':
        return validation.reason;
      case 'unavailable':
        log.error('validation-unavailable', { why: validation.why.join('; ') });
        return 'unavailable';
      default:
        return unreachable(validation);
    }
  };
}

async function clientOf(
  { urls, clientId, keyFile, caFile }: ValidationServers,
  deadline: number,
): Promise<ValidationClient> {
  return createValidationClient({
    servers: urls,
    clientId,
    key: await readKey(keyFile),
    ...(caFile === undefined ? {} : { ca: await readFile(caFile, 'utf8') }),
    deadline,
  });
}

/** Base64 on one line, as Yubico's page for API keys shows it. */
async function readKey(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    if (((await file.stat()).mode & 0o077) !== 0)
      throw new Error(`the key ${path} can be read by others; run: chmod 0600 ${path}`);
    const key = Buffer.from((await file.readFile('utf8')).trim(), 'base64');
    if (key.length === 0) throw new Error(`the key ${path} is empty; it holds the key in base64`);
    return key;
  } finally {
    await file.close();
  }
}
