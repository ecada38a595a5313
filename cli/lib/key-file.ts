import { readFileSync, statSync } from 'node:fs';
import { replaceFile } from '../../daemon/lib/write-file.ts';
import { CliError, cannotWrite, systemCode } from './errors.ts';

/** @throws CliError refused */
export function readKeyFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CliError('refused', `cannot read ${path} (${systemCode(error)}); nothing was changed`);
  }
}

/** Replaces a key file, which stays readable only by its owner. @throws CliError refused */
export function replaceKeyFile(path: string, text: string): void {
  try {
    const { uid, gid } = statSync(path);
    replaceFile(path, text, { mode: 0o600, owner: { uid, gid }, links: 'follow' });
  } catch (error) {
    throw new CliError('refused', `${cannotWrite(path, error)}; nothing was changed`);
  }
}
