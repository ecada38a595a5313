import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../lib/errors.ts';
import { hasModule } from './installed.ts';

/** A file that libpam reads for a service. */
export interface PamFile {
  readonly path: string;
  readonly text: string;
  /** It is a directory, which libpam opens, and finds nothing in. */
  readonly isDirectory?: true;
}

/** Where services are looked up; passed in, so that a test can have directories of its own. */
export interface PamFiles {
  /**
   * What libpam opens for this name.
   * @param name a service, or an absolute path
   * @returns undefined: there is none, and libpam takes "other"
   * @throws what reading throws, where there is a file that cannot be read
   */
  read(name: string): PamFile | undefined;
  /** Every name with a file, sorted. */
  names(): readonly string[];
  /**
   * Whether libpam finds this module.
   * @param module as a line names it: "pam_unix.so", or a path
   * @returns undefined: that cannot be said
   */
  hasModule?(module: string): boolean | undefined;
}

/** The first of them that has a file wins, as a whole. */
const directories = ['/etc/pam.d', '/usr/lib/pam.d'] as const;

/** /etc/pam.conf is never read where one of the directories is there, so it is not read here. */
export function pamFiles(places: readonly string[] = directories): PamFiles {
  return {
    read(name) {
      const paths = name.startsWith('/') ? [name] : places.map((directory) => join(directory, name));
      for (const path of paths) {
        const found = readIfThere(path);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    hasModule,
    names: () => [...new Set(places.flatMap(namesIn))].sort(),
  };
}

/** Of a link that leads in a circle there is no file either. */
const absent = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

function readIfThere(path: string): PamFile | undefined {
  try {
    // Byte for byte: what is no UTF-8 must come back as it was.
    return { path, text: readFileSync(path, 'latin1') };
  } catch (error) {
    if (absent.has(systemCode(error))) return undefined;
    if (systemCode(error) === 'EISDIR') return { path, text: '', isDirectory: true };
    throw error;
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isFile() || entry.isSymbolicLink())
      .map((entry) => entry.name)
      .filter((name) => !/\.(?:dpkg-\w+|rpm(?:new|save|orig)|bak|orig|old)$|~$|^\./.test(name));
  } catch (error) {
    if (absent.has(systemCode(error))) return [];
    throw error;
  }
}
