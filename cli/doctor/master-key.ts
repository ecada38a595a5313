import { dirname } from 'node:path/posix';
import { isoLocal } from '../lib/time.ts';
import { type Check, type Finding, finding, type Machine, notChecked, orGood, pathsOf } from './contract.ts';
import { parentsOf } from './owners.ts';

/** Where systemd puts the credentials of LoadCredential= and LoadCredentialEncrypted= in the unit. */
const credential = '/run/credentials/sallyportd.service/master.key';

/** The master key: it exists, belongs to this store, and is not stored where copies could leak. */
export const masterKeyCheck: Check = {
  id: 'master key',
  what: 'the master key exists, fits the store, and is not kept beside it or in a repository',
  async run(machine) {
    const { masterKey: path, store } = await pathsOf(machine);
    if (!machine.rooted && (await machine.files.look(credential)).kind === 'file')
      return [{ severity: 'ok', summary: 'systemd passes it as a credential' }];
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
          `${path} was changed at ${isoLocal(entry.changed)}, after sallyportd read it`,
          `compare it with its backup before the next start`,
        ),
      );
    if (`${dirname(path)}/` === `${dirname(store)}/` || path.startsWith(`${store}/`))
      findings.push(
        finding(
          'key.beside-store',
          `${path} is in the same directory tree as the store ${store}`,
          'move it and set [paths] master_key, or pass it with LoadCredentialEncrypted= of systemd',
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
    return [
      notChecked(
        `the master key: ${path} does not exist, so sallyportd uses a credential or the file was removed`,
      ),
    ];
  return [finding('key.missing', `there is no ${path}`, `restore it from its backup, with owner and mode`)];
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
      return [notChecked(`whether the repository in ${directory} includes ${path}`, 'verify manually')];
    return [
      finding(
        'key.in-git',
        `${path} is inside the repository ${directory}/.git, which does not ignore it`,
        `add it to ${directory}/.gitignore, remove it from the history, then replace it: sallyport master-key rotate`,
      ),
    ];
  }
  return [];
}
