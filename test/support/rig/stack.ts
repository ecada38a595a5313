import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from './commands.ts';
import { repository } from './layout.ts';

const shipped = join(repository, 'pam-config/pam.d');

/**
 * Installs every snippet as it is shipped, but for what pam-config/README.md says to change when
 * the module is not installed: its path and its socket. pam_unix is kept from waiting two seconds
 * after a failure, which no test here is about.
 */
export function installSnippets(modulePath: string, socket: string): void {
  for (const name of readdirSync(shipped)) {
    const text = must('sed', [
      ...['-e', String.raw`s|^\([^#].*\)pam_sallyport\.so|\1${modulePath} socket=${socket}|`],
      ...['-e', String.raw`s|^\([^#].*\)pam_unix\.so|\1pam_unix.so nodelay|`],
      join(shipped, name),
    ]);
    writeFileSync(join('/etc/pam.d', name), text);
  }
}

const distributed = new Map<string, string>();

/** Puts a snippet into the distribution's own file of a service, in the place that the snippet names. */
export function useSnippet(service: string, snippet: string): void {
  const path = join('/etc/pam.d', service);
  const original = distributed.get(service) ?? readFileSync(path, 'utf8');
  distributed.set(service, original);
  const parts = original.split(/^@include common-auth$/m);
  if (parts.length !== 2) throw new Error(`${path} does not hold the line "@include common-auth" once`);
  writeFileSync(path, parts.join(`@include ${snippet}`));
}

/** A service of a test's own: auth as given, everything else let pass. */
export function writeService(service: string, auth: readonly string[]): void {
  const rest = ['account required pam_permit.so', 'session required pam_permit.so'];
  writeFileSync(join('/etc/pam.d', service), [...auth, ...rest, ''].join('\n'));
}
