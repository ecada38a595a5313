import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import type { AuditEvent, StoredAuditEvent } from '../../../daemon/audit/event.ts';
import { limits } from '../../../daemon/limits.ts';
import type { LoginFacts } from '../../../daemon/policy/contract.ts';
import type { Store } from '../../../daemon/store/contract.ts';
import { boundedStore } from '../../../daemon/store/sealed/bounded-store.ts';
import type { Verifier } from '../../../daemon/verifier/verifier.ts';
import {
  answered,
  codeNow,
  eventsOf,
  isAccepted,
  makeRig,
  opened,
  put,
  type Rig,
  recordOf,
  totpFactor,
  wrongCodes,
} from '../../support/verifier-rig.ts';
import { facts, onTerminal, realm } from '../policy/support.ts';

/** Maximum number of events of one party in a minute. */
const most = 200;

describe('a flood by a party without a verified factor', () => {
  let rig: Rig;
  let store: Store;
  let verifier: Verifier;
  let notStored: AuditEvent[];
  beforeEach(async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    rig = makeRig(realm({ require: 'none' }));
    notStored = [];
    store = boundedStore(rig.store, {
      monotonic: rig.clock.monotonic,
      notStored: (event) => notStored.push(event),
    });
    verifier = rig.anotherVerifier(store);
    rig.accounts.add('nobody', 65_534);
  });
  afterEach(() => mock.timers.reset());

  /** HELLO, an answer of one digit, and a disconnect. */
  const tries = async (count: number, given: (each: number) => Partial<LoginFacts>, text = '1') => {
    for (let each = 0; each < count; each += 1) {
      const login = await opened(rig, { firstFactorVerified: false, ...given(each) }, verifier);
      await answered(rig, login, text, verifier);
    }
  };
  const minute = async () => {
    rig.clock.pass(limits.flood.interval);
    mock.timers.tick(limits.flood.interval);
    for (let each = 0; each < 50; each += 1) await null;
  };
  const program = (uid: number, user: string) => (each: number) => ({
    rootSocket: false,
    peerUid: uid,
    realUid: uid,
    user,
    service: `program${each}`,
    tty: `tty${each}`,
  });
  const countOf = (events: readonly StoredAuditEvent[]) =>
    events.reduce((sum, { count = 1 }) => sum + count, 0);

  it('leaves a few events and one count on the socket for users, and nothing is lost', async () => {
    await tries(3_000, program(65_534, 'nobody'));
    await minute();
    const events = await eventsOf(rig);
    assert.ok(events.length > 3 && events.length <= most, `${events.length} events`);
    assert.equal(countOf(events), 3_000);
    assert.ok(events.every(({ account, actor }) => account === 'nobody' && actor === 'uid:65534'));
    const last = events.at(-1);
    // The claims of its program differ each time, so the count does not name them.
    assert.deepEqual([last?.service, last?.tty, last?.reason], [undefined, undefined, 'no-factor']);
  });

  it('is bounded by the real uid in su, whatever accounts and terminals it names', async () => {
    for (let each = 0; each < 500; each += 1) rig.accounts.add(`user${each}`, 2_000 + each);
    for (let each = 0; each < 2_000; each += 1) {
      const said = { user: `user${each % 500}`, service: 'su', tty: `pts/${each}`, realUid: 1_001 };
      const opening = await verifier.open(onTerminal({ ...said, firstFactorVerified: false }), rig.host);
      assert.ok(opening.kind === 'ask');
      await answered(rig, opening.login, '1', verifier);
    }
    await minute();
    const events = await eventsOf(rig);
    assert.ok(events.length <= most, `${events.length} events`);
    assert.equal(countOf(events), 2_000);
    const named = new Set(events.map(({ account }) => account));
    assert.ok(named.size > limits.flood.aggregatesOfOne / 2, `${named.size} accounts are named`);
  });

  it('is bounded for a source on the network, by /64', async () => {
    const given = (each: number) => ({
      user: 'alice',
      source: `2001:db8::${each.toString(16)}`,
      rhost: `2001:db8::${each.toString(16)}`,
    });
    await tries(2_000, given);
    await minute();
    const events = await eventsOf(rig);
    assert.ok(events.length <= most, `${events.length} events`);
    assert.equal(countOf(events), 2_000);
  });

  it('is bounded if it comes from thousands of uids, or targets one account from thousands of sources', async () => {
    for (let each = 0; each < 3_000; each += 1) rig.accounts.add(`sub${each}`, 100_000 + each);
    await tries(3_000, (each) => program(100_000 + each, `sub${each}`)(each));
    await tries(3_000, (each) => {
      const source = `10.${each >> 8}.${each & 255}.1`;
      return { user: 'alice', source, rhost: source };
    });
    await minute();
    const events = await eventsOf(rig);
    const { ofAll, aggregates } = limits.flood;
    assert.equal(countOf(events), 6_000);
    const ofWay = (fits: boolean) => events.filter(({ actor }) => (actor === undefined) === fits).length;
    assert.ok(ofWay(false) <= ofAll.burst + aggregates + 10);
    assert.ok(ofWay(true) <= most, `${ofWay(true)} events about one account`);
    assert.equal(countOf(events.filter(({ account }) => account === 'alice')), 3_000);
  });

  it('leaves the events of others as they are, and always those of verified logins', async () => {
    await put(rig, { factors: [totpFactor()] });
    await tries(1_000, program(65_534, 'nobody'));
    const before = (await eventsOf(rig)).length;
    // Another party, on the same socket and on the other.
    await tries(1, program(1_001, 'bob'));
    await tries(1, () => ({ user: 'alice' }), wrongCodes(rig, 1)[0]);
    assert.equal((await eventsOf(rig)).length, before + 2);
    for (let each = 0; each < 300; each += 1) {
      const login = await opened(rig, {}, verifier);
      await verifier.abandon(login, 'cancelled');
    }
    const abandoned = (await eventsOf(rig)).filter(({ outcome }) => outcome === 'abandoned');
    assert.equal(abandoned.length, 300);
  });

  it('does not hide a successful login', async () => {
    await put(rig, { factors: [totpFactor()] });
    const own = { rootSocket: false, peerUid: 1_000, realUid: 1_000, user: 'alice' };
    await tries(500, () => own);
    const login = await opened(rig, { firstFactorVerified: false, ...own }, verifier);
    assert.ok(isAccepted(await answered(rig, login, codeNow(rig), verifier)));
    const events = await eventsOf(rig);
    assert.equal(events.at(-1)?.outcome, 'accepted');
    assert.equal(events.at(-1)?.count, undefined);
  });

  it('is decided again if the record changed meanwhile, though the decision is only counted', async () => {
    await tries(100, program(1_000, 'alice'));
    const given = { firstFactorVerified: false, ...program(1_000, 'alice')(0) };
    const login = await opened(rig, given, verifier);
    const held = rig.store.account.bind(rig.store);
    let reads = 0;
    rig.store.account = async (name: string) => {
      reads += 1;
      // Between the decision and its event a factor is added.
      if (reads === 2) {
        rig.store.account = held;
        await put(rig, { factors: [totpFactor()] });
      }
      return held(name);
    };
    const verdict = await answered(rig, login, '1', verifier);
    assert.equal(verdict.kind, 'refused');
  });

  it('is stored before a clean stop', async () => {
    const events: StoredAuditEvent[] = [];
    rig.store.follow((event) => events.push(event));
    await tries(700, program(65_534, 'nobody'));
    await store.close();
    assert.equal(countOf(events), 700);
    assert.deepEqual(notStored, []);
  });

  it('is kept while the store cannot be written, and logged at the end', async () => {
    await tries(400, program(65_534, 'nobody'));
    rig.store.breakWrites('the disk is full');
    await minute();
    await minute();
    rig.store.breakWrites(undefined);
    await minute();
    assert.equal(countOf(await eventsOf(rig)), 400);
    await tries(400, program(65_534, 'nobody'));
    const stored = countOf(await eventsOf(rig));
    rig.store.breakWrites('the disk is full');
    await store.close();
    assert.equal(stored + notStored.reduce((sum, { count = 1 }) => sum + count, 0), 800);
  });

  it('does not delay a verified login of the same account', async () => {
    await put(rig, { factors: [totpFactor()] });
    await tries(200, program(1_000, 'alice'));
    const login = await opened(rig, facts(), verifier);
    assert.ok(isAccepted(await answered(rig, login, codeNow(rig), verifier)));
    assert.equal((await recordOf(rig)).lock.any, 0);
  });
});
