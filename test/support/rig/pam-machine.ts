import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { must } from './commands.ts';
import { shippedModule } from './layout.ts';
import { prepareMachine, work } from './machine.ts';
import { Product } from './product.ts';

/**
 * A machine where Sallyport lies as it is installed: the module beside libpam's own, the socket where the module
 * looks for it, and nothing in any PAM stack. Directories that `sallyport pam` writes to are its own.
 */
export async function preparePamMachine(realms: string): Promise<Product> {
  await prepareMachine();
  installModule();
  for (const directory of ['/var/backups']) {
    mkdirSync(directory, { recursive: true });
    must('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', directory]);
  }
  const product = await Product.init(realms);
  symlinkSync(`${work}/sallyport/run`, '/run/sallyport');
  await product.start();
  return product;
}

/** Over the directory of libpam's modules, as /etc is over the machine's. */
function installModule(): void {
  const unix = must('find', ['/lib/', '/usr/lib/', '-name', 'pam_unix.so']).split('\n')[0] ?? '';
  const directory = dirname(unix);
  for (const name of ['modules-upper', 'modules-work']) mkdirSync(`${work}/${name}`);
  const layers = `lowerdir=${directory},upperdir=${work}/modules-upper,workdir=${work}/modules-work`;
  must('mount', ['-t', 'overlay', 'overlay', '-o', layers, directory]);
  copyFileSync(shippedModule, `${directory}/pam_sallyport.so`);
}

/** Every file of these directories with its text: what must be the same again. */
export function snapshot(...directories: readonly string[]): Readonly<Record<string, string>> {
  const files = directories.flatMap((directory) => {
    const names = readdirSync(directory, { withFileTypes: true });
    return names.filter((entry) => entry.isFile()).map(({ name }) => `${directory}/${name}`);
  });
  return Object.fromEntries(files.sort().map((path) => [path, readFileSync(path, 'latin1')]));
}

export function append(path: string, text: string): void {
  writeFileSync(path, text, { flag: 'a' });
}
