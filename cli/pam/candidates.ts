import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { ControlClient } from '../../daemon/client/client.ts';
import { type Account, accounts, mayLogIn } from './accounts.ts';

/** An account that may log in, with the source of its last login. */
export interface Candidate {
  readonly account: Account;
  readonly address?: string;
}

/** Limit that keeps the confirmation prompt fast; `sallyport doctor` checks more accounts. */
export const mostCandidates = 300;
const day = 86_400_000;
const recent = 30 * day;
const firstPerson = 1_000;

export interface Candidates {
  readonly asked: readonly Candidate[];
  /** Accounts beyond the limit. */
  readonly left: number;
}

/**
 * Accounts that a change may lock out, most likely first: root, accounts with a factor, those that logged in within
 * 30 days, all other user accounts, and last service accounts with a shell.
 */
export async function candidatesFor(client: ControlClient, now: number): Promise<Candidates> {
  const logins = recentLogins(now);
  const { users } = await client.users(undefined, mostCandidates);
  const named = [...users.map(({ account }) => account), ...logins.keys()];
  const known = new Map(accounts().map((account) => [account.name, account]));
  const isPerson = ({ uid }: Account) => uid === 0 || uid >= firstPerson;
  const people = [...known.values()].filter(isPerson);
  const all = [
    ...people.filter(({ uid }) => uid === 0),
    // A directory service may not list its accounts, and yet find them by name.
    ...named.flatMap((name) => known.get(name) ?? accounts(name)[0] ?? []),
    ...people,
    // Service accounts, some of which have SSH keys.
    ...[...known.values()].filter((one) => !isPerson(one)),
  ].filter(mayLogIn);
  const unique = [...new Map(all.map((account) => [account.name, account])).values()];
  return {
    asked: unique.slice(0, mostCandidates).map((account) => {
      const address = logins.get(account.name);
      return address === undefined || address === '' ? { account } : { account, address };
    }),
    left: Math.max(0, unique.length - mostCandidates),
  };
}

/** One record of wtmp(5). */
const recordBytes = 384;
const userProcess = 7;
/** Newest records read of each file. */
const mostRecords = 20_000;

/** Account names with the address of the newest login; '' for a console. */
export function recentLogins(
  now: number,
  files: readonly string[] = ['/var/log/wtmp', '/var/log/wtmp.1'],
): ReadonlyMap<string, string> {
  const found = new Map<string, { readonly at: number; readonly address: string }>();
  for (const file of files) {
    const bytes = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
    const whole = bytes.length - (bytes.length % recordBytes);
    for (let from = Math.max(0, whole - mostRecords * recordBytes); from < whole; from += recordBytes) {
      const record = bytes.subarray(from, from + recordBytes);
      const at = record.readUInt32LE(340) * 1_000;
      if (record.readInt16LE(0) !== userProcess || at < now - recent) continue;
      const name = textOf(record, 44, 32);
      const host = textOf(record, 76, 256);
      const known = found.get(name);
      if (name !== '' && (known === undefined || known.at <= at))
        found.set(name, { at, address: isIP(host) === 0 ? '' : host });
    }
  }
  return new Map([...found].map(([name, { address }]) => [name, address]));
}

function textOf(record: Buffer, from: number, length: number): string {
  return record.toString('utf8', from, from + length).replace(/\0.*$/s, '');
}
