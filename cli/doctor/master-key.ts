import { dirname } from 'node:path/posix';
import { isoLocal } from '../lib/time.ts';
import { type Check, type Finding, finding, type Machine, notChecked, orGood, pathsOf } from './contract.ts';
import { parentsOf } from './owners.ts';

/** Where systemd puts the credentials of LoadCredential= and LoadCredentialEncrypted= in the unit. */
const credential = '/run/credentials/sallyportd.service/master.key';

/** The master key: it exists, belongs to this store, and is not stored where copies could leak. */
export const masterKeyCheck: Check = {
  id: 'master key',
  what: 'it is there, it is the key of this store, and no backup or repository holds both',
  async run(machine) {
    const { masterKey: path, store } = await pathsOf(machine);
    if (!machine.rooted && (await machine.files.look(credential)).kind === 'file')
      return [{ severity: 'ok', summary: 'systemd hands it over as a credential' }];
    const entry = await machine.files.look(path);
    if (entry.kind === 'unseen') return [notChecked(`${path} (${entry.why})`)];
    if (entry.kind === 'absent') return absent(machine, path, store);
    const status = await machine.status();
    const findings: Finding[] = [...(await inRepository(machine, path))];
    // sallyportd reads it at the start, and again for a rotation.
    const read = status.ok ? (status.value.keys?.read ?? status.value.started) : undefined;
    if (read !== undefined && 'changed' in entry && entry.changed > read)
      findings.push(
        finding(
          'key.changed',
          `${path} was changed at ${isoLocal(entry.changed)}, after sallyportd had read it`,
          `compare it with its backup before the next start`,
        ),
      );
    if (`${dirname(path)}/` === `${dirname(store)}/` || path.startsWith(`${store}/`))
      findings.push(
        finding(
          'key.beside-store',
          `${path} lies beside the store ${store}`,
          'move it, and say where in [paths] master_key; or hand it over by LoadCredentialEncrypted= of systemd',
        ),
      );
    if (!status.ok) findings.push(notChecked('whether it is the key of this store', 'see the daemon'));
    return orGood(findings, `${path} opened this store`);
  },
};

async function absent(machine: Machine, path: string, store: string): Promise<readonly Finding[]> {
  if ((await machine.files.look(store)).kind === 'absent') return [];
  const status = await machine.status();
  // Only the daemon sees a credential of another unit or of a container manager.
  if (status.ok && !machine.rooted)
    return [notChecked(`${path} is not there: sallyportd has a credential, or had it`)];
  return [
    finding('key.missing', `there is no ${path}`, `put it back from its backup, owner and mode included`),
  ];
}

async function inRepository(machine: Machine, path: string): Promise<readonly Finding[]> {
  for (const directory of parentsOf(path)) {
    const repository = await machine.files.look(`${directory}/.git`);
    if (repository.kind === 'absent') continue;
    // Threat: another user's repository could name programs that root would run; git refuses it, and none is run here.
    const ignored = await machine.run([
      ...['git', '-c', 'core.fsmonitor=false', '-C', directory, 'check-ignore', '--quiet', path],
    ]);
    if (ignored.status === 0) return [];
    if (ignored.status !== 1)
      return [notChecked(`whether the repository in ${directory} takes ${path}`, 'verify manually')];
    return [
      finding(
        'key.in-git',
        `${path} lies in the repository ${directory}/.git, which does not ignore it`,
        `add it to ${directory}/.gitignore, take it out of the history, then change the key`,
      ),
    ];
  }
  return [];
}
