import type { KeysView } from '../api/views.ts';
import { messageOf, SallyportError } from '../lib/errors.ts';
import { type Keyring, loadKeyring } from '../sealing/keyring.ts';
import type { Rotation } from '../store/sealed/rotation.ts';
import type { Maintenance } from './maintenance.ts';

export function keysView(keyring: Keyring, rotation: Rotation): KeysView {
  const { current, ids, source, read } = keyring;
  return { file: source.path, credential: source.credential, read, current, ids, rotation: rotation.state() };
}

/**
 * Reads the master key file again. Only a file that just root or the daemon's user can write is accepted.
 *
 * Invariant: no key is dropped that a record may still be encrypted with, and none is replaced under the same id.
 *
 * @throws SallyportError master-key-rejected
 */
export async function adoptKeys(maintenance: Maintenance | undefined, actor: string): Promise<KeysView> {
  if (maintenance === undefined) throw new SallyportError('no-such-operation', 'this daemon keeps no keys');
  const { keyring, rotation, auditedStore } = maintenance;
  if (keyring.source.credential)
    throw new SallyportError(
      'master-key-rejected',
      'the master key comes from the service manager, which reads it when sallyportd starts: systemctl restart sallyportd',
    );
  const fresh = read(keyring);
  const gone = keyring.ids.filter((id) => !fresh.has(id));
  const isDone = rotation.state().kind === 'done' && fresh.current === keyring.current;
  if (gone.length > 0 && !isDone)
    throw new SallyportError(
      'master-key-rejected',
      `${keyring.source.path} does not hold ${gone.join(', ')} any more, with which something is still sealed. Put it back; without it the store cannot be read.`,
    );
  const reason = fresh.current === keyring.current ? 'keys-adopted' : 'key-rotated';
  keyring.adopt(fresh);
  rotation.start();
  await auditedStore.note({
    kind: 'store',
    outcome: 'done',
    at: maintenance.now(),
    account: '',
    reason,
    actor,
  });
  return keysView(keyring, rotation);
}

function read({ source }: Keyring): Keyring {
  try {
    return loadKeyring({ path: source.path });
  } catch (error) {
    throw new SallyportError('master-key-rejected', messageOf(error), { cause: error });
  }
}
