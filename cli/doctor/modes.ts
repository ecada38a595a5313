import { dirname } from 'node:path/posix';
import { type Check, type Finding, finding, type Machine, notChecked, orGood, pathsOf } from './contract.ts';
import type { Entry } from './files.ts';
import { daemonUid, octal, parentsOf } from './owners.ts';

/** Who besides the owner may read a file. */
type Readers = 'all' | 'group' | 'none';

interface Guarded {
  readonly path: string;
  readonly readers: Readers;
}

/** Owners and modes of security-relevant and secret files, and of every directory above them. */
export const modesCheck: Check = {
  id: 'owners and modes',
  what: 'only root and sallyportd can write files that control logins, or read secrets',
  async run(machine) {
    const owner = await daemonUid(machine);
    const things = await thingsOf(machine);
    const findings: Finding[] = [];
    for (const thing of things) findings.push(...(await evaluate(machine, thing, owner)));
    const real = await Promise.all(things.map(({ path }) => machine.files.real(path)));
    const directories = new Set(
      things.flatMap(({ path }, index) => [...parentsOf(path), ...parentsOf(real[index] ?? path)]),
    );
    for (const directory of directories) findings.push(...(await checkDirectory(machine, directory, owner)));
    return orGood(findings, `${things.length} files and ${directories.size} directories above them`);
  },
};

async function thingsOf(machine: Machine): Promise<readonly Guarded[]> {
  const paths = await pathsOf(machine);
  const read = await machine.config();
  const portal = read.kind === 'good' ? read.config.portal?.tls : undefined;
  const servers = read.kind === 'good' ? read.config.realms.flatMap((one) => one.yubikey.servers ?? []) : [];
  return [
    { path: machine.configFile, readers: 'all' },
    { path: paths.masterKey, readers: 'none' },
    { path: paths.store, readers: 'none' },
    { path: paths.anchor, readers: 'all' },
    { path: paths.lastGood, readers: 'all' },
    // Threat: a user who can write there can replace the socket.
    { path: dirname(paths.pamSocket), readers: 'all' },
    ...(portal === undefined ? [] : [{ path: portal.keyFile, readers: 'group' as const }]),
    ...servers.map(({ keyFile }) => ({ path: keyFile, readers: 'group' as const })),
  ];
}

async function evaluate(
  machine: Machine,
  { path, readers }: Guarded,
  owner: number | undefined,
): Promise<readonly Finding[]> {
  const entry = await machine.files.look((await machine.files.real(path)) ?? path);
  // The check that needs the file reports its absence.
  if (entry.kind === 'absent') return [];
  if (entry.kind === 'unseen') return [notChecked(`${path} (${entry.why})`)];
  return [...written(path, entry, owner), ...readable(path, entry, readers)];
}

function written(path: string, entry: Entry, owner: number | undefined): readonly Finding[] {
  const findings: Finding[] = [];
  if (canWrite(entry))
    findings.push(finding('mode.writable', `${path} has mode ${octal(entry.mode)}`, `chmod go-w ${path}`));
  if (owner !== undefined && entry.uid !== 0 && entry.uid !== owner)
    findings.push(
      finding(
        'mode.owner',
        `${path} belongs to uid ${entry.uid}, which is neither root nor sallyportd (uid ${owner})`,
        `find out which account that is (getent passwd ${entry.uid}), then: chown ${owner} ${path}`,
      ),
    );
  return findings;
}

function readable(path: string, { kind, mode }: Entry, readers: Readers): readonly Finding[] {
  const open = readers === 'all' ? 0 : mode & (readers === 'group' ? 0o007 : 0o077);
  if (open === 0) return [];
  if (kind === 'directory')
    return [finding('mode.store-open', `${path} has mode ${octal(mode)}`, `chmod 0700 ${path}`)];
  const right = readers === 'group' ? '0640' : '0600';
  return [
    finding(
      'mode.readable',
      `${path} has mode ${octal(mode)}`,
      `consider which users may have read it, then: chmod ${right} ${path}`,
    ),
  ];
}

/** In a sticky directory others may write, but not replace another user's files. */
async function checkDirectory(
  machine: Machine,
  path: string,
  owner: number | undefined,
): Promise<readonly Finding[]> {
  const entry = await machine.files.look((await machine.files.real(path)) ?? path);
  if (entry.kind === 'absent') return [];
  if (entry.kind === 'unseen') return [notChecked(`${path} (${entry.why})`)];
  const sticky = (entry.mode & 0o1000) !== 0;
  return sticky ? [] : written(path, entry, owner);
}

/** Root's group is equivalent to root. */
function canWrite({ mode, gid }: Entry): boolean {
  return (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== 0);
}
