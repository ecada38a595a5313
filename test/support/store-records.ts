import type { AuditEvent } from '../../daemon/audit/event.ts';
import type { AccountRecord, Store } from '../../daemon/store/contract.ts';

/** An account with one HOTP token that stands at `counter`: enough to tell one state from another. */
export function recordOf(account: string, counter = 0): AccountRecord {
  return {
    account,
    created: 1_700_000_000_000,
    factors: [
      {
        id: 'factor-1',
        name: 'a token',
        created: 1_700_000_000_000,
        enabled: true,
        kind: 'hotp',
        secret: 'MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=',
        digits: 6,
        algorithm: 'sha1',
        counter,
      },
    ],
    lock: { codes: 0, any: 0 },
    grants: [],
  };
}

export function counterOf(record: AccountRecord | undefined): number | undefined {
  const [factor] = record?.factors ?? [];
  return factor?.kind === 'hotp' ? factor.counter : undefined;
}

export function eventOf(account: string, at = 1_700_000_000_000): AuditEvent {
  return { kind: 'login', outcome: 'success', at, account, reason: 'factor', service: 'sshd' };
}

/** Writes an account as it is now, whatever it was, and returns its new version. */
export async function put(store: Store, account: string, counter = 0): Promise<number> {
  const { version } = await store.account(account);
  const outcome = await store.commit({
    accounts: [{ account, version, write: recordOf(account, counter) }],
    events: [eventOf(account)],
  });
  if (outcome !== 'committed') throw new Error(`${account}: ${outcome}`);
  return (await store.account(account)).version;
}
