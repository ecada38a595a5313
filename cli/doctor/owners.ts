import { dirname } from 'node:path/posix';
import type { Machine } from './contract.ts';
import { pathsOf } from './contract.ts';

/**
 * The uid that sallyportd runs as: below `init --root` the owner of the store, else the account of the package.
 * @returns undefined if unknown
 */
export async function daemonUid(machine: Machine): Promise<number | undefined> {
  const { store } = await pathsOf(machine);
  if (machine.rooted) {
    for (const path of [store, dirname(store)]) {
      const entry = await machine.files.look(path);
      if ('uid' in entry) return entry.uid;
    }
    return undefined;
  }
  const asked = await machine.run(['getent', 'passwd', 'sallyport']);
  const uid = Number(asked.stdout.split(':')[2]);
  if (asked.status === 0 && Number.isInteger(uid)) return uid;
  const status = await machine.status();
  if (!status.ok) return undefined;
  const process = await machine.files.look(`/proc/${status.value.pid}`);
  return 'uid' in process ? process.uid : undefined;
}

/** Every directory above a path, nearest first. */
export function parentsOf(path: string): readonly string[] {
  const parents: string[] = [];
  for (let at = dirname(path); ; at = dirname(at)) {
    parents.push(at);
    if (at === '/' || at === '.') return parents;
  }
}

export function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}
