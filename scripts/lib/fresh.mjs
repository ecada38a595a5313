import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Every file below `top`, or `top` itself when it is one; paths start with `top`. Sorted. */
export function filesBelow(directory, top) {
  const path = join(directory, top);
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [top];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesBelow(directory, join(top, name)));
}

/** Changes with each source that appears, goes or is written, and with `also`. */
export function fingerprint(directory, sources, also = '') {
  const hash = createHash('sha256').update(also);
  for (const path of sources) {
    const { mtimeMs, size } = statSync(join(directory, path));
    hash.update(`\n${path} ${mtimeMs} ${size}`);
  }
  return hash.digest('hex');
}

/** @param outputs what must be there, whatever the stamp says */
export function isFresh(directory, stamp, print, outputs) {
  const path = join(directory, stamp);
  return (
    existsSync(path) &&
    readFileSync(path, 'utf8') === print &&
    outputs.every((output) => existsSync(join(directory, output)))
  );
}

export function markFresh(directory, stamp, print) {
  const path = join(directory, stamp);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, print);
}
