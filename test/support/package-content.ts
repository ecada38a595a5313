import { join } from 'node:path';
import { must } from './rig/commands.ts';
import { repository } from './rig/layout.ts';

/** Packs what is built, and builds nothing. @returns the path of the package */
export function pack(directory: string): string {
  const script = `
    const { buildPackage } = await import(${JSON.stringify(join(repository, 'scripts/lib/package.mjs'))});
    console.log(await buildPackage({ version: undefined, out: ${JSON.stringify(directory)} }));`;
  return must(process.execPath, ['--input-type=module', '--eval', script]).trim();
}

export interface Entry {
  /** As ls(1) writes it: "-rwxr-xr-x". */
  readonly mode: string;
  readonly owner: string;
  readonly path: string;
  readonly target?: string;
}

/** All that a package unpacks. */
export function entriesOf(file: string): Entry[] {
  const lines = must('dpkg-deb', ['--contents', file]).trim().split('\n');
  return lines.map((line) => {
    const [mode = '', owner = '', , , , name = '', , target] = line.split(/\s+/);
    const path = name.replace(/^\.\/?/, '/').replace(/(.)\/$/, '$1');
    return { mode, owner, path, ...(target === undefined ? {} : { target }) };
  });
}

export function field(file: string, name: string): string {
  return must('dpkg-deb', ['--field', file, name]).trim();
}
