import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The directory with package.json: what is shipped as it stands lies below it. */
export const repository = upTo(import.meta.dirname, 'package.json');
/** The directory that this build of the tests lies in, with the daemon and the CLI of the same build. */
export const built = join(import.meta.dirname, '../../..');
export const daemonMain = join(built, 'daemon/main.js');
export const cliMain = join(built, 'cli/main.js');
export const shippedModule = join(repository, 'build/Release/pam_sallyport.so');

function upTo(directory: string, file: string): string {
  if (existsSync(join(directory, file))) return directory;
  const above = dirname(directory);
  if (above === directory) throw new Error(`no ${file} above ${import.meta.dirname}`);
  return upTo(above, file);
}
