import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The PAM service of the password helper, as far as it says who decides about the accounts of /etc/passwd. */
const service = 'sallyport-password';

/** Modules that read only /etc/shadow, or no password at all. */
const harmless: ReadonlySet<string> = new Set([
  'pam_unix.so',
  'pam_deny.so',
  'pam_localuser.so',
  'pam_faildelay.so',
  'pam_env.so',
]);

/** Skips as many lines for an account of /etc/passwd, and none for others. */
const skipForLocal = /^\[success=([1-9]) default=ignore\]$/;

/**
 * Whether, for an account of /etc/passwd, the password in /etc/shadow is the only one that this service takes.
 *
 * Invariant: false for every text that is not understood to its end: an include, a module that is not known here,
 * a line that goes on in the next one, a control that could lead past a line in another way.
 */
export function shadowDecides(text: string): boolean {
  const lines = text
    .split('\n')
    .map((line) => line.replace(/#.*$/, '').trim())
    .filter((line) => line !== '');
  let skipped = 0;
  let asked = false;
  for (const line of lines) {
    const [, type = '', control = '', module = ''] =
      /^-?(\w+)\s+(\[[^\][]*\]|\w+)\s+(\S+)(?:\s[^\\]*)?$/.exec(line) ?? [];
    if (!/^(auth|account|password|session)$/.test(type)) return false;
    if (type !== 'auth') continue;
    if (/^(include|substack)$/.test(control)) return false;
    if (skipped > 0) {
      skipped -= 1;
      continue;
    }
    if (!harmless.has(module)) return false;
    if (control.startsWith('[')) {
      const skip = module === 'pam_localuser.so' ? skipForLocal.exec(control)?.[1] : undefined;
      if (skip === undefined) return false;
      skipped = Number(skip);
    }
    asked ||= module === 'pam_unix.so';
  }
  return asked;
}

/** The same of the file that PAM would take. @param directories first to last */
export async function decidesByShadow(directories: readonly string[]): Promise<boolean> {
  for (const directory of directories) {
    try {
      return shadowDecides(await readFile(join(directory, service), 'utf8'));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) return false;
    }
  }
  return false;
}
