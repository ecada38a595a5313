import { type Check, type Finding, finding, type Machine, notChecked, orGood, pathsOf } from './contract.ts';
import { parentsOf } from './owners.ts';

const MiB = 1024 * 1024;
/** Below this, the next compaction of the store may fail. */
const full = 16 * MiB;
const low = 256 * MiB;

/** Free space, in bytes and inodes, for the store and for the log. */
export const diskCheck: Check = {
  id: 'disk',
  what: 'there is disk space for the store and the log',
  async run(machine) {
    const { store } = await pathsOf(machine);
    const findings = [...(await room(machine, store, 'store')), ...(await room(machine, '/var/log', 'log'))];
    return orGood(findings, 'there is disk space for store and log');
  },
};

async function room(machine: Machine, path: string, what: 'store' | 'log'): Promise<readonly Finding[]> {
  // A path that does not exist yet is measured at its nearest existing parent.
  for (const at of [path, ...parentsOf(path)]) {
    const space = await machine.files.space(at);
    if (space.kind === 'absent') continue;
    if (space.kind === 'unseen') return [notChecked(`disk space for the ${what} in ${at} (${space.why})`)];
    const { bytes, free, inodes, freeInodes } = space;
    const inodesGone = inodes > 0 && freeInodes === 0;
    const inodesLow = inodes > 0 && freeInodes < Math.min(1_000, inodes / 20);
    const said = `${Math.floor(free / MiB)} MiB of ${Math.floor(bytes / MiB)} and ${freeInodes} inodes are free in ${at}`;
    const fix = `free disk space there: df -h ${at}; df -i ${at}`;
    const isLow = free < Math.min(low, bytes / 10) || inodesLow;
    if (what === 'log') return isLow ? [finding('disk.log', said, fix)] : [];
    if (free < full || inodesGone) return [finding('disk.full', said, fix)];
    return isLow ? [finding('disk.low', said, fix)] : [];
  }
  return [];
}
