import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAddon } from '../daemon/host/addon.ts';
import { createMasterKey, loadKeyring } from '../daemon/sealing/keyring.ts';
import type { AccountRecord, Store } from '../daemon/store/contract.ts';
import { createStore } from '../daemon/store/leveldb/create.ts';
import { openStore } from '../daemon/store/leveldb/open.ts';

/** What one login costs in the store: read the account, write it with one audit event, durably. */

const SECONDS = 4;

function recordOf(account: string): AccountRecord {
  return {
    account,
    created: 0,
    factors: [
      {
        id: 'f1',
        name: 'phone',
        created: 0,
        enabled: true,
        kind: 'hotp',
        secret: 'MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=',
        digits: 6,
        algorithm: 'sha1',
        counter: 0,
      },
    ],
    lock: { codes: 0, any: 0 },
    grants: [],
  };
}

async function oneLogin(store: Store, account: string): Promise<void> {
  const { value, version } = await store.account(account);
  const outcome = await store.commit({
    accounts: [{ account, version, write: value ?? recordOf(account) }],
    events: [
      {
        kind: 'login',
        outcome: 'success',
        at: Date.now(),
        account,
        reason: 'factor',
        realm: 'staff',
        service: 'sshd',
        source: '192.0.2.7',
        tty: 'ssh',
        firstFactorVerified: true,
        factor: { id: 'f1', kind: 'hotp', name: 'phone' },
      },
    ],
  });
  if (outcome !== 'committed') throw new Error(`${account}: ${outcome}`);
}

async function measure(store: Store, clients: number): Promise<void> {
  const times: number[] = [];
  const start = performance.now();
  const cpu = process.cpuUsage();
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      while (performance.now() - start < SECONDS * 1000) {
        const begun = performance.now();
        await oneLogin(store, `user${client}`);
        times.push(performance.now() - begun);
      }
    }),
  );
  const elapsed = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  times.sort((a, b) => a - b);
  const at = (share: number): string => (times[Math.floor(times.length * share)] ?? 0).toFixed(2);
  process.stdout.write(
    `${String(clients).padStart(4)} clients  p50 ${at(0.5)} ms  p95 ${at(0.95)} ms  ` +
      `${((times.length / elapsed) * 1000).toFixed(0)}/s  cpu ${((user + system) / times.length).toFixed(0)} us each\n`,
  );
}

const directory = await mkdtemp(join(tmpdir(), 'sallyport-bench-'));
try {
  const path = join(directory, 'master.key');
  createMasterKey(path);
  const keyring = loadKeyring({ path });
  const places = { directory: join(directory, 'store'), anchor: join(directory, 'anchor') };
  const options = { ...places, keyring, locks: loadAddon() };
  await createStore(options);
  const store = await openStore(options);
  for (const clients of [1, 16, 64, 256]) await measure(store, clients);
  await store.close();
} finally {
  await rm(directory, { recursive: true, force: true });
}
