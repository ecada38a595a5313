import {
  closeSync,
  fchownSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { CliError } from './errors.ts';

/** @throws CliError refused */
export function readKeyFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw failed('read', path, error);
  }
}

/**
 * Puts a new text in place of a key file, in one step. MUST hold: at no moment can anybody read it who could not
 * read the old one, and after a crash there is the old one or the new one.
 *
 * @throws CliError refused
 */
export function replaceKeyFile(path: string, text: string): void {
  const fresh = `${path}.new`;
  try {
    const { uid, gid } = statSync(path);
    rmSync(fresh, { force: true });
    const fd = openSync(fresh, 'wx', 0o600);
    try {
      // By descriptor: what else may stand under that name by now is nobody's business.
      fchownSync(fd, uid, gid);
      writeSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(fresh, path);
    const folder = openSync(dirname(path), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch (error) {
    rmSync(fresh, { force: true });
    throw failed('written', path, error);
  }
}

function failed(what: string, path: string, error: unknown): CliError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return new CliError('refused', `${path} cannot be ${what} (${code}); nothing was changed`);
}
