import { mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { projectRoot } from './project.ts';

/** A clone may lie where nobody but root may look, such as below /root: others run it from here. */
export interface Reachable {
  /** Where they find a file of the project. */
  path(file: string): string;
  /** The command that runs `argv` where these paths are there. It keeps its pid, and nothing is left behind. */
  argv(argv: readonly string[]): [program: string, ...argv: string[]];
}

/** @param directory that others may enter; for root alone */
export function reachable(directory: string): Reachable {
  const place = join(directory, 'program');
  mkdirSync(place, { recursive: true });
  const script = 'mount --bind "$0" "$1" && shift && exec "$@"';
  return {
    path: (file) => join(place, relative(projectRoot, file)),
    argv: (argv) => ['unshare', '--mount', 'sh', '-c', script, projectRoot, place, ...argv],
  };
}
