import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { createLog } from '../../../daemon/lib/log.ts';
import { limits } from '../../../daemon/limits.ts';
import { checkOf, createManager, statusLine } from '../../../daemon/runtime/service-manager.ts';
import type { StoreHealth } from '../../../daemon/store/contract.ts';

/** Messages to systemd; test/long/systemd.test.ts tests their effect. */
let reported: string[];
let logged: { readonly event: string; readonly message?: string }[];
beforeEach(() => {
  reported = [];
  logged = [];
  mock.timers.enable({ apis: ['setInterval'] });
});
afterEach(() => mock.timers.reset());

function managerIn(environment: NodeJS.ProcessEnv, notify: (message: string) => boolean = () => true) {
  const addon = { notify: (message: string) => reported.push(message) > 0 && notify(message) };
  const log = createLog((line) => logged.push(JSON.parse(line)), false);
  return createManager({ addon, log, environment, pid: 42 });
}
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
const pings = () => reported.filter((message) => /^WATCHDOG=1$/m.test(message)).length;
const well = async (): Promise<void> => undefined;

async function tick(ms: number, times = 1): Promise<void> {
  for (let round = 0; round < times; round++) {
    mock.timers.tick(ms);
    await settled();
  }
}

describe('the watchdog', () => {
  const watched = () => ({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '42' });

  it('is notified twice in its period, and the environment is clean', async () => {
    const environment = watched();
    managerIn(environment).ready(() => 'Serving', well);
    await settled();
    assert.deepEqual(environment, {});
    assert.deepEqual(reported, ['READY=1\nSTATUS=Serving', 'WATCHDOG=1']);
    await tick(15_000, 4);
    assert.equal(pings(), 5);
  });

  it('is not notified while the check hangs, and only one check hangs at a time', async () => {
    let checks = 0;
    let answer = (): void => undefined;
    managerIn(watched()).ready(
      () => 'Serving',
      () => {
        checks += 1;
        return new Promise((resolve) => {
          answer = resolve;
        });
      },
    );
    await tick(15_000, 5);
    assert.deepEqual([checks, pings()], [1, 0]);
    assert.deepEqual(
      logged.map(({ event }) => event),
      ['not-well'],
    );
    answer();
    await settled();
    assert.equal(pings(), 1, 'it was slow, and lives');
    await tick(15_000);
    assert.equal(checks, 2);
  });

  it('is not notified while the check fails', async () => {
    managerIn(watched()).ready(
      () => 'Serving',
      () => Promise.reject(new Error('stuck')),
    );
    await settled();
    await tick(15_000, 3);
    assert.equal(pings(), 0);
    assert.deepEqual(logged, [{ level: 'error', event: 'not-well', message: 'stuck' }]);
  });

  it('is off if it is not requested, another process is meant, or the number is invalid', async () => {
    for (const environment of [
      {},
      { WATCHDOG_USEC: '30000000', WATCHDOG_PID: '43' },
      { WATCHDOG_USEC: '0' },
      { WATCHDOG_USEC: '-1' },
      { WATCHDOG_USEC: '30s' },
      { WATCHDOG_USEC: '' },
    ]) {
      managerIn(environment).ready(() => 'Serving', well);
      await tick(60_000, 2);
    }
    assert.equal(pings(), 0);
    assert.ok(reported.every((message) => message === 'READY=1\nSTATUS=Serving'));
  });

  it('gets changes with the next notification', async () => {
    let status = '1 login';
    managerIn(watched()).ready(() => status, well);
    await settled();
    status = '2 logins';
    await tick(15_000, 2);
    assert.deepEqual(reported.slice(1), ['WATCHDOG=1', 'WATCHDOG=1\nSTATUS=2 logins', 'WATCHDOG=1']);
  });
});

describe('the manager', () => {
  it('waits for a start in progress', async () => {
    let finish = (): void => undefined;
    const manager = managerIn({});
    const started = manager.starting(
      'Checking',
      () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
    );
    await tick(limits.startExtension / 3, 3);
    const longer = `EXTEND_TIMEOUT_USEC=${limits.startExtension * 1_000}`;
    assert.deepEqual(reported, [`STATUS=Checking\n${longer}`, longer, longer, longer]);
    finish();
    await started;
    await tick(limits.startExtension, 3);
    assert.equal(reported.length, 4, 'after it nothing more is asked for');
  });

  it('is notified of a reload before and after, whatever its result', () => {
    const manager = managerIn({});
    manager.ready(() => 'Serving', well);
    reported.length = 0;
    assert.throws(() =>
      manager.reloading(() => {
        assert.match(reported[0] ?? '', /^RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=/);
        throw new Error('bad file');
      }),
    );
    assert.deepEqual(reported.slice(1), ['READY=1\nSTATUS=Serving']);
  });

  it('gets one line, whatever the text contains', () => {
    managerIn({}).stopping('a\nSTOPPING=0\n\0\x1bb'.padEnd(5_000, 'x'));
    const [message = ''] = reported;
    assert.match(message, /^STOPPING=1\nSTATUS=a STOPPING=0 bx+$/);
    assert.ok(message.length < limits.statusLength + 32);
  });

  it('that does not listen stops nothing', async () => {
    const manager = managerIn({ WATCHDOG_USEC: '2000000' }, () => {
      throw new Error('gone');
    });
    assert.equal(await manager.starting('x', async () => 7), 7);
    manager.ready(() => 'y', well);
    manager.reloading(() => undefined);
    manager.stopping('z');
    await settled();
    await tick(1_000);
    assert.ok(logged.length > 0 && logged.every(({ event }) => event === 'manager-not-notified'));
  });
});

describe('the check', () => {
  const health = (more: Partial<StoreHealth> = {}): StoreHealth => ({
    state: 'ok',
    commit: 1,
    accounts: 3,
    events: { first: 1, last: 1 },
    anchorCommit: 1,
    scrub: { read: 0, findings: [] },
    ...more,
  });
  const account = async () => ({ value: undefined, version: 0 });

  it('reads another name from the store each time, which no account has', async () => {
    const asked: string[] = [];
    const check = checkOf({
      account: (name) => {
        asked.push(name);
        return account();
      },
      health,
    });
    await check();
    await check();
    assert.equal(new Set(asked).size, 2);
    assert.ok(asked.every((name) => name.includes(':')));
  });

  it('accepts an error as an answer: a restart repairs no disk', async () => {
    await checkOf({ account: () => Promise.reject(new Error('EIO')), health })();
  });

  it('fails when a write is stuck, from both sides of the limit', async () => {
    await checkOf({ account, health: () => health({ writingFor: limits.stuckWrite }) })();
    const stuck = checkOf({ account, health: () => health({ writingFor: limits.stuckWrite + 1 }) });
    await assert.rejects(stuck, /write/);
  });

  it('does not end while the store does not answer', async () => {
    let isDone = false;
    void checkOf({ account: () => new Promise(() => undefined), health })().then(() => {
      isDone = true;
    });
    await settled();
    assert.equal(isDone, false);
  });

  it('and the status line name the worst first, and no account', () => {
    const configuration = (problem?: string) => ({
      current: () => ({ realms: [{}] }) as never,
      loaded: () => 0,
      problem: () => problem,
      reload: () => ({}) as never,
      keep: () => undefined,
    });
    const line = (more: Partial<StoreHealth>, problem?: string) =>
      statusLine({ health: () => health(more) }, configuration(problem), 1);
    assert.equal(line({}), 'Serving; 3 accounts, 1 realm, 1 login under way');
    assert.match(line({ state: 'unwritable', reason: 'full' }), /^Serving; the store is unwritable: full; 3/);
    const bad = line({ scrub: { read: 1, findings: ['the record of alice is damaged'] } }, 'line 3: x');
    assert.match(bad, /damaged.*configuration file is not in force/);
    assert.doesNotMatch(bad, /alice/);
  });
});
