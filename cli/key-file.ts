import { readFileSync, statSync } from 'node:fs';
import { CliError, systemCode } from './errors.ts';
import { replaceFile } from './replace-file.ts';

/** @throws CliError refused */
export function readKeyFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw failed('read', path, error);
  }
}

/** Puts a new text in place of a key file, which stays its owner's alone. @throws CliError refused */
export function replaceKeyFile(path: string, text: string): void {
  try {
    const { uid, gid } = statSync(path);
    replaceFile(path, text, { temporary: `${path}.new`, mode: 0o600, owner: { uid, gid } });
  } catch (error) {
    throw failed('written', path, error);
  }
}

function failed(what: string, path: string, error: unknown): CliError {
  return new CliError('refused', `${path} cannot be ${what} (${systemCode(error)}); nothing was changed`);
}
