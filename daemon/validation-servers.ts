import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import type { ValidationServers } from './config/contract.ts';
import { messageOf, unreachable } from './errors.ts';
import { limits } from './limits.ts';
import type { Log } from './log.ts';
import type { AskServers } from './validations.ts';
import { createValidationClient, type ValidationClient } from './yubikey-otp-validation.ts';

/**
 * The validation servers that the configuration names.
 *
 * MUST hold:
 * - the key is read for each question, from a file that others cannot read, and stands in no log;
 * - whatever fails here is "unavailable": no verdict, and nobody's wrong answer.
 */
export function createAskServers(log: Log): AskServers {
  return async (servers, otp) => {
    let client: ValidationClient;
    try {
      client = clientOf(servers);
    } catch (error) {
      log.error('validation-unavailable', { why: messageOf(error) });
      return 'unavailable';
    }
    const validation = await client.validate(otp);
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

function clientOf({ urls, clientId, keyFile, caFile }: ValidationServers): ValidationClient {
  return createValidationClient({
    servers: urls,
    clientId,
    key: readKey(keyFile),
    ...(caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') }),
    deadline: limits.validationWait,
  });
}

/** Base64 on one line, as Yubico's page for API keys shows it. */
function readKey(file: string): Buffer {
  const fd = openSync(file, 'r');
  try {
    if ((fstatSync(fd).mode & 0o077) !== 0)
      throw new Error(`the key ${file} can be read by others; run: chmod 0600 ${file}`);
    const key = Buffer.from(readFileSync(fd, 'utf8').trim(), 'base64');
    if (key.length === 0) throw new Error(`the key ${file} is empty; it holds the key in base64`);
    return key;
  } finally {
    closeSync(fd);
  }
}
