import { lstatSync, readlinkSync, realpathSync, type Stats } from 'node:fs';
import { messageOf, SallyportError } from './errors.ts';

/** What a path names before anything is written there. Links are not followed. */
export type WriteTarget =
  | { readonly kind: 'missing' | 'character-device' }
  | { readonly kind: 'file'; readonly mode: number; readonly uid: number; readonly gid: number }
  | { readonly kind: 'link'; readonly to: string }
  | { readonly kind: 'other'; readonly what: 'a directory' | 'a block device' | 'a pipe' | 'a socket' };

/** @throws SallyportError bad-target: the path cannot be looked at */
export function inspectTarget(path: string): WriteTarget {
  const found = statsOf(path);
  if (found === undefined) return { kind: 'missing' };
  if (found.isFile()) return { kind: 'file', mode: found.mode & 0o7777, uid: found.uid, gid: found.gid };
  if (found.isSymbolicLink()) return { kind: 'link', to: readlinkSync(path) };
  if (found.isCharacterDevice()) return { kind: 'character-device' };
  return { kind: 'other', what: otherKind(found) };
}

function statsOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw new SallyportError('bad-target', messageOf(error), { cause: error });
  }
}

function otherKind(found: Stats): 'a directory' | 'a block device' | 'a pipe' | 'a socket' {
  if (found.isDirectory()) return 'a directory';
  if (found.isBlockDevice()) return 'a block device';
  return found.isFIFO() ? 'a pipe' : 'a socket';
}

/** Why this cannot be replaced: "it is a directory". undefined: it can. */
export function notReplaceable(target: WriteTarget): string | undefined {
  switch (target.kind) {
    case 'missing':
    case 'file':
      return undefined;
    case 'character-device':
      return 'it is a device';
    case 'link':
      return `it is a link to ${target.to}; name the file itself`;
    case 'other':
      return `it is ${target.what}`;
  }
}

/**
 * The regular or missing file that a replacement may take the place of.
 * @param links `follow`: a link is kept, and the file that it leads to is meant. For files that an administrator has
 *   laid out, in directories that only root can write to
 * @throws SallyportError bad-target: a device, pipe, socket or directory is there, or a link that is not to be followed
 */
export function replaceableFile(path: string, links: 'follow' | 'refuse'): string {
  const target = inspectTarget(path);
  if (target.kind === 'link' && links === 'follow')
    return replaceableFile(linkEnd(path, target.to), 'refuse');
  const why = notReplaceable(target);
  if (why !== undefined) throw new SallyportError('bad-target', `${path} is not replaced: ${why}`);
  return path;
}

function linkEnd(path: string, to: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    throw new SallyportError(
      'bad-target',
      `${path} is not written: it is a link to ${to}, which is not there`,
      {
        cause: error,
      },
    );
  }
}
