import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The directory of package.json, from wherever the tests were compiled to. */
export const projectRoot = findRoot(import.meta.dirname);

/** What is made and not written: nothing in it speaks for the project. */
const made = /^(node_modules|dist|dist-.*|build|\.git|\.sallyport)$/;

/** Every file that somebody wrote, as a path from the root. Sorted. */
export function writtenFiles(directory = ''): readonly string[] {
  return readdirSync(join(projectRoot, directory), { withFileTypes: true })
    .filter((entry) => !made.test(entry.name) && (entry.isDirectory() || entry.isFile()))
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      return entry.isDirectory() ? writtenFiles(path) : [path];
    })
    .sort();
}

function findRoot(from: string): string {
  return existsSync(join(from, 'package.json')) ? from : findRoot(dirname(from));
}
