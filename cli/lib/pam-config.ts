import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The directory of ready stacks and units, beside the program: as it is installed, from a build, from the source. */
export function pamConfig(): string {
  const places = ['../pam-config', '../../pam-config', '../../../pam-config'].map((place) =>
    join(import.meta.dirname, place),
  );
  const [first = ''] = places;
  return places.find((place) => existsSync(join(place, 'pam.d'))) ?? first;
}

/** @param path from that directory, "pam.d/sallyport-sshd". Byte for byte, as latin1 */
export function shipped(path: string): string {
  return readFileSync(join(pamConfig(), path), 'latin1');
}
