import { chmodSync, copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from './commands.ts';
import { repository } from './layout.ts';
import { work } from './machine.ts';
import { pamSocket } from './product.ts';

const shipped = join(repository, 'pam-config/pam.d');

const modulePath = `${work}/pam_sallyport.so`;

/** The module and its options, for a stack of a test's own. */
export function moduleLine(...options: readonly string[]): string {
  return [modulePath, `socket=${pamSocket}`, ...options].join(' ');
}

/**
 * Installs every snippet as it is shipped, but for what docs/reference/pam-stacks.md says to change when
 * the module is not installed: its path and its socket. pam_unix is kept from waiting two seconds
 * after a failure, which no test here is about.
 */
export function installSnippets(module: string): void {
  copyFileSync(module, modulePath);
  // Programs that run as their users load it too.
  chmodSync(modulePath, 0o755);
  for (const name of readdirSync(shipped)) {
    const text = must('sed', [
      ...['-e', String.raw`s|^\([^#].*\)pam_sallyport\.so|\1${moduleLine()}|`],
      ...['-e', String.raw`s|^\([^#].*\)pam_unix\.so|\1pam_unix.so nodelay|`],
      ...['-e', 's|pam_faildelay.so delay=2000000|pam_faildelay.so delay=0|'],
      join(shipped, name),
    ]);
    writeFileSync(join('/etc/pam.d', name), text);
  }
}

const distributed = new Map<string, string>();

/**
 * Puts a snippet into the distribution's own file of a service, in the place that the snippet names.
 * @param like the service whose file is taken where the distribution has none for this one
 */
export function useSnippet(service: string, snippet: string, like = service): void {
  const path = join('/etc/pam.d', service);
  const source = existsSync(path) ? path : join('/etc/pam.d', like);
  const original = distributed.get(service) ?? readFileSync(source, 'utf8');
  distributed.set(service, original);
  const parts = original.split(/^@include common-auth$/m);
  if (parts.length !== 2) throw new Error(`${path} does not hold the line "@include common-auth" once`);
  writeFileSync(path, parts.join(`@include ${snippet}`));
}

/** A service that asks for the second factor alone, as behind a password that was right. */
export function writeProvenStack(name: string): void {
  writeStack(name, [`auth required ${moduleLine('first_factor=passed')}`, 'auth required pam_permit.so']);
}

/** The auth part of a stack of a test's own: a service by itself, or to be put into one. */
export function writeStack(name: string, auth: readonly string[]): void {
  writeFileSync(join('/etc/pam.d', name), [...auth, ''].join('\n'));
}
