import { type Finding, finding, type Machine } from './contract.ts';
import type { Entry } from './files.ts';
import { accountNamed, groupNamed } from './names.ts';
import { octal, parentsOf } from './owners.ts';

/**
 * Whether the account of the portal can read a file: it needs access to every directory above it.
 * Access lists are not examined; below `init --root` the portal runs as the user who started it.
 */
export async function closedTo(machine: Machine, user: string, path: string): Promise<readonly Finding[]> {
  const account = await accountNamed(machine, user);
  if (machine.rooted || account.kind !== 'found') return [];
  const { uid, gid } = account.value;
  const real = (await machine.files.real(path)) ?? path;
  const may = async (entry: Entry, bit: 4 | 1): Promise<boolean> => {
    if (uid === 0 || (entry.mode & bit) !== 0) return true;
    if (entry.uid === uid) return (entry.mode & (bit << 6)) !== 0;
    if ((entry.mode & (bit << 3)) === 0) return false;
    if (entry.gid === gid) return true;
    const group = await groupNamed(machine, String(entry.gid));
    return group.kind === 'found' && group.value.members.includes(user);
  };
  for (const [at, bit] of [
    [real, 4] as const,
    ...parentsOf(real).map((directory) => [directory, 1] as const),
  ]) {
    const entry = await machine.files.look(at);
    // The check of the certificate reports what is missing or cannot be examined.
    if (!('mode' in entry) || (await may(entry, bit))) continue;
    const what = `${user} cannot ${bit === 4 ? 'read' : 'enter'} ${at} (mode ${octal(entry.mode)}), which ${path} needs`;
    const fix = `chgrp ${user} ${at} && chmod ${bit === 4 ? 'g+r' : 'g+x'} ${at}`;
    return [finding('portal.key-closed', what, fix)];
  }
  return [];
}
