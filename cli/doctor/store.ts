import type { StatusView } from '../../daemon/api/views.ts';
import { pluralise } from '../../daemon/lib/units.ts';
import { type Check, type Finding, finding, type Machine, notChecked, orGood, pathsOf } from './contract.ts';

const day = 86_400_000;
/** Tolerated age of the last scrub, which normally runs daily. */
const scrubbed = 8 * day;

/** What sallyportd reports of its store; without the daemon, whether a store exists. */
export const storeCheck: Check = {
  id: 'store',
  what: 'the store is undamaged and writable, and its anchor is current',
  async run(machine) {
    const paths = await pathsOf(machine);
    const status = await machine.status();
    if (!status.ok)
      return status.code === 'daemon-unreachable' ? withoutDaemon(machine) : [notChecked(status.message)];
    const { store } = status.value;
    const findings: Finding[] = [];
    if (store.state !== 'ok')
      findings.push(
        finding(
          'store.unwritable',
          `the store is ${store.state}: ${store.reason ?? 'the reason is unknown'}`,
          `df -h ${paths.store}`,
        ),
      );
    for (const one of store.scrub.findings)
      findings.push(
        finding(
          'store.damaged',
          one,
          'keep a copy of the damaged store, then restore the record from a backup',
        ),
      );
    findings.push(
      ...(await anchor(machine, status.value)),
      ...unread(status.value),
      ...(await reserve(machine)),
    );
    return orGood(
      findings,
      `${pluralise(store.accounts, 'account')}, ${store.state}, commit ${store.commit}`,
    );
  },
};

/** The anchor is at most a second behind, so it is read a second time. */
async function anchor(machine: Machine, { store }: StatusView): Promise<readonly Finding[]> {
  if (store.anchorCommit >= store.commit) return [];
  await machine.wait(2_000);
  const again = await machine.daemon.status();
  if (again.store.anchorCommit >= store.commit) return [];
  const { anchor: path } = await pathsOf(machine);
  return [
    finding(
      'store.anchor-behind',
      `the anchor ${path} is at commit ${again.store.anchorCommit} of ${again.store.commit}`,
      `check whether sallyportd can write there: df -h ${path}; journalctl -u sallyportd -e`,
    ),
  ];
}

function unread({ store, started, now }: StatusView): readonly Finding[] {
  const { lastFinished } = store.scrub;
  if (now - (lastFinished ?? started) < scrubbed) return [];
  return [
    finding(
      'store.unread',
      'the background scrub has not read the whole store for more than a week',
      'journalctl -u sallyportd -e; then: systemctl restart sallyportd',
    ),
  ];
}

async function reserve(machine: Machine): Promise<readonly Finding[]> {
  const { store } = await pathsOf(machine);
  const path = `${store}.reserve`;
  const entry = await machine.files.look(path);
  if (entry.kind === 'unseen') return [notChecked(`${path} (${entry.why})`)];
  if (entry.kind !== 'absent') return [];
  return [
    finding(
      'store.no-reserve',
      `the reserve ${path} is missing: it was released, or there was no space for it`,
      'free 64 MiB of disk space; sallyportd then creates it again',
    ),
  ];
}

async function withoutDaemon(machine: Machine): Promise<readonly Finding[]> {
  const { store, anchor, masterKey } = await pathsOf(machine);
  const [directory, current, mark, key] = await Promise.all(
    [store, `${store}/CURRENT`, anchor, masterKey].map((path) => machine.files.look(path)),
  );
  const unseen = [directory, current, mark].find((one) => one?.kind === 'unseen');
  if (unseen !== undefined) return [notChecked(`the store ${store}`)];
  const lost = [
    ...(directory?.kind === 'absent' ? [store] : current?.kind === 'absent' ? [`${store}/CURRENT`] : []),
    ...(mark?.kind === 'absent' ? [anchor] : []),
  ];
  // Store, anchor and key are all absent: the store was never created.
  if (directory?.kind === 'absent' && mark?.kind === 'absent' && key?.kind === 'absent') return [];
  if (lost.length > 0)
    return [
      finding(
        'store.missing',
        `${lost.join(' and ')} ${lost.length === 1 ? 'is' : 'are'} missing`,
        'restore store and anchor from the same backup; see also: journalctl -u sallyportd -e',
      ),
    ];
  return [
    notChecked(
      `whether the records in ${store} are undamaged: only sallyportd can verify them`,
      'see the daemon',
    ),
  ];
}
