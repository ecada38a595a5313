import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const libraries = ['/lib', '/usr/lib', '/lib64', '/usr/lib64'];

/** Directories where libpam looks for modules named without a directory. */
function moduleDirectories(): readonly string[] {
  const machine = { x64: 'x86_64', arm64: 'aarch64', ia32: 'i386', riscv64: 'riscv64', s390x: 's390x' };
  const names = Object.entries(machine).flatMap(([arch, name]) => (arch === process.arch ? [name] : []));
  const debian = names.flatMap((name) => [`/lib/${name}-linux-gnu`, `/usr/lib/${name}-linux-gnu`]);
  return [...debian, ...libraries]
    .map((directory) => `${directory}/security`)
    .filter((directory) => existsSync(`${directory}/pam_unix.so`));
}

/** All paths at which libpam may find a module. */
export function pathsOf(module: string): readonly string[] {
  return module.startsWith('/') ? [module] : moduleDirectories().map((directory) => join(directory, module));
}

/** @returns undefined if libpam's own modules are not found either: the module directory is unknown */
export function hasModule(module: string): boolean | undefined {
  const paths = pathsOf(module);
  return paths.length === 0 ? undefined : paths.some((path) => existsSync(path));
}

/** The directory of supplied stacks and units: installed, in a build, or in the source tree. */
export function pamConfig(): string {
  const places = ['../pam-config', '../../pam-config', '../../../pam-config'].map((place) =>
    join(import.meta.dirname, place),
  );
  const [first = ''] = places;
  return places.find((place) => existsSync(join(place, 'pam.d'))) ?? first;
}

/** Reads a supplied file byte for byte, as latin1. @param path relative to that directory: "pam.d/sallyport-sshd" */
export function shipped(path: string): string {
  return readFileSync(join(pamConfig(), path), 'latin1');
}
