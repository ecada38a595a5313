import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createConnectionLimit } from '../../daemon/host/connection-limit.ts';
import type { AccountLookup, Accounts } from '../../daemon/host/contract.ts';
import { createSlots } from '../../daemon/lib/slots.ts';
import { poolLimits } from '../../daemon/limits/pools.ts';
import { limits } from '../../daemon/limits.ts';
import { poolsFor } from '../../daemon/login/login-pools.ts';
import { limitedAccounts } from '../../daemon/verifier/limited-accounts.ts';
import { limits as portalLimits } from '../../portal/limits.ts';
import { until } from '../support/login-rig.ts';
import { projectRoot } from '../support/project.ts';

const page = readFileSync(join(projectRoot, 'docs/reference/limits.md'), 'utf8');
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| pool '))
  .map((line) => line.split('|').map((cell) => cell.trim()));

describe('docs/reference/limits.md', () => {
  const named = new Set(
    rows.flatMap(([, , cell = '']) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name)),
  );

  it('has a row for each limit of a pool, and names only existing ones', () => {
    const missing = Object.keys(poolLimits).filter((name) => !named.has(name));
    assert.deepEqual(missing, []);
    assert.deepEqual(
      [...named].filter((name) => name === undefined || !(name in limits || name in portalLimits)),
      [],
    );
  });

  it('states for each who can fill it, why that harms no verified login, and which test covers it', () => {
    assert.ok(rows.length >= 15, String(rows.length));
    for (const [, pool = '', , who = '', why = '', tried = ''] of rows) {
      assert.ok(who !== '' && why !== '', pool);
      const paths = [...tried.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path);
      assert.ok(paths.length > 0, pool);
      for (const path of paths) assert.ok(existsSync(join(projectRoot, path)), `${pool}: ${path}`);
    }
  });
});

describe('the arithmetic of pools', () => {
  const { waiting, unverified, verified, user } = poolsFor(Infinity);

  it('leaves verified logins most of pam.sock, and one name a small part of it', () => {
    assert.equal(waiting + unverified + verified, limits.rootConnections);
    assert.ok(verified > limits.rootConnections / 2);
    assert.ok(limits.loginsPerAccount * 10 < verified);
    assert.ok(user === limits.userConnections && limits.userConnectionsPerUid * 2 <= user);
  });

  it('gives no party of unverified logins all slots of a name, and no name all of them', () => {
    const { all, name, party } = limits.unverifiedLogins;
    assert.ok(2 * party <= name && 4 * name <= all);
  });

  it('leaves NSS threads to verified logins, whatever hangs', () => {
    const others = limits.unverifiedLookups.all + limits.controlLookups.all;
    assert.ok(limits.nssThreads - others >= 3);
    assert.ok(limits.unverifiedLookups.own < limits.unverifiedLookups.all);
    assert.ok(limits.movingLookups + limits.reportAtOnce < limits.controlLookups.all);
    const waitingThere = limits.unverifiedLookups.all + limits.controlLookups.all;
    assert.ok(waitingThere < limits.nssQueue, 'what waits for a slot does not wait in the queue of NSS');
  });

  it('gives no account all requests to validation servers', () => {
    for (const pool of [limits.validationsVerified, limits.validationsUnverified])
      assert.ok(4 * pool.own <= pool.all);
  });

  it('allows names and sources far fewer attempts than the table has entries', () => {
    assert.ok(limits.unverifiedPerSource.burst < limits.unverifiedEntries / 100);
  });
});

describe('a directory service that hangs', () => {
  const found: AccountLookup = { status: 'absent' };

  it('takes at most the threads of control.sock, and frees them', async () => {
    let asked = 0;
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const hang = async (): Promise<AccountLookup> => {
      asked += 1;
      await released;
      return found;
    };
    const accounts: Accounts = { byName: hang, byUid: hang };
    const limited = limitedAccounts(accounts, createSlots(limits.controlLookups), 'control');
    const under = Array.from({ length: 100 }, (_, each) =>
      each % 2 === 0 ? limited.byName(`user${each}`, []) : limited.byUid(each, []),
    );
    await until(() => asked === limits.controlLookups.all, 'as many as may be');
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(asked, limits.controlLookups.all);
    release();
    assert.ok((await Promise.all(under)).every((answer) => answer === found));
    assert.equal(asked, under.length);
  });
});

describe('connections on control.sock', () => {
  it('of local users, whatever their uids, and of the portal take no slot of root', () => {
    const places = createConnectionLimit({
      total: limits.controlConnections,
      perUid: limits.controlConnectionsPerUid,
      portal: limits.controlConnectionsOfPortal,
    });
    const taken = (uid: (each: number) => number, of: 'root' | 'portal' | 'others'): number =>
      Array.from({ length: 3_000 }, (_, each) => places.take(uid(each), of)).filter(
        (give) => give !== undefined,
      ).length;
    assert.equal(
      taken(() => 1001, 'others'),
      limits.controlConnectionsPerUid,
    );
    assert.equal(
      taken((each) => 100_000 + each, 'others'),
      limits.controlConnections - limits.controlConnectionsPerUid,
    );
    assert.equal(
      taken(() => 990, 'portal'),
      limits.controlConnectionsOfPortal,
    );
    assert.equal(
      taken(() => 0, 'root'),
      limits.controlConnections,
    );
  });
});
