import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../errors.ts';

/** A file that libpam reads for a service. */
export interface PamFile {
  readonly path: string;
  readonly text: string;
}

/** Where services are looked up; passed in, so that a test can have folders of its own. */
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
}

/** The first of them that has a file wins, as a whole. */
const folders = ['/etc/pam.d', '/usr/lib/pam.d'] as const;

/** /etc/pam.conf is never read where one of the folders is there, so it is not read here. */
export function pamFiles(places: readonly string[] = folders): PamFiles {
  return {
    read(name) {
      const paths = name.startsWith('/') ? [name] : places.map((folder) => join(folder, name));
      for (const path of paths) {
        const text = readIfThere(path);
        if (text !== undefined) return { path, text };
      }
      return undefined;
    },
    names: () => [...new Set(places.flatMap(namesIn))].sort(),
  };
}

const absent = new Set(['ENOENT', 'ENOTDIR']);

function readIfThere(path: string): string | undefined {
  try {
    // Byte for byte: what is no UTF-8 must come back as it was.
    return readFileSync(path, 'latin1');
  } catch (error) {
    if (absent.has(systemCode(error))) return undefined;
    throw error;
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile() || entry.isSymbolicLink())
      .map((entry) => entry.name)
      .filter((name) => !/\.(?:dpkg-\w+|rpm(?:new|save|orig)|bak|orig|old)$|~$|^\./.test(name));
  } catch (error) {
    if (absent.has(systemCode(error))) return [];
    throw error;
  }
}
