import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../lib/errors.ts';
import { hasModule } from './installed.ts';

/** A file that libpam reads for a service. */
export interface PamFile {
  readonly path: string;
  readonly text: string;
  /** A directory, which libpam opens and reads as empty. */
  readonly isDirectory?: true;
}

/** Lookup of services; passed in, so that tests can use other directories. */
export interface PamFiles {
  /**
   * The file that libpam opens for this name.
   * @param name a service, or an absolute path
   * @returns undefined if it has no file: libpam then uses "other"
   * @throws the system's error if an existing file cannot be read
   */
  read(name: string): PamFile | undefined;
  /** All names with a file, sorted. */
  names(): readonly string[];
  /**
   * Whether libpam finds this module.
   * @param module as a line names it: "pam_unix.so", or a path
   * @returns undefined if unknown
   */
  hasModule?(module: string): boolean | undefined;
}

/** The first directory that has the file decides. */
const directories = ['/etc/pam.d', '/usr/lib/pam.d'] as const;

/** libpam ignores /etc/pam.conf if one of the directories exists, so it is not read here. */
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

/** A circular link counts as a missing file. */
const absent = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

function readIfThere(path: string): PamFile | undefined {
  try {
    // latin1 preserves every byte, including invalid UTF-8.
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
