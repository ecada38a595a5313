import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { projectRoot } from '../../support/project.ts';

/** A module of scripts/, which is plain JavaScript and is not compiled: the caller states its type. */
export async function loadScript<Contents>(path: string): Promise<Contents> {
  return (await import(pathToFileURL(join(projectRoot, 'scripts', path)).href)) as Contents;
}
