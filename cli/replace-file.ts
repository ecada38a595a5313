import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';

export interface Replacement {
  /** Beside it: a name that whoever reads the folder takes for nothing. */
  readonly temporary: string;
  readonly mode: number;
  /** Absent: whoever calls. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  readonly encoding?: 'utf8' | 'latin1';
  /** Before it takes its name. */
  readonly ready?: () => void;
}

/**
 * Puts a file in place of another.
 *
 * MUST hold: whoever reads sees the old file or the new one, after a power cut too; at no moment can anybody read it
 * who may not in the end; what fails leaves the old one and nothing beside it.
 */
export function replaceFile(
  path: string,
  text: string,
  { temporary, mode, owner, encoding = 'utf8', ready }: Replacement,
): void {
  rmSync(temporary, { force: true });
  try {
    const file = openSync(temporary, 'wx', 0o600);
    try {
      writeFileSync(file, text, encoding);
      // By descriptor: what else may stand under that name by now is nobody's business.
      if (owner !== undefined) fchownSync(file, owner.uid, owner.gid);
      fchmodSync(file, mode);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    ready?.();
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(dirname(path));
}

/** Makes creations, renames and removals in a folder survive a power cut. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
