import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { formatJournalLine } from '../../../daemon/audit/journal-line.ts';
import { clientDataFor } from '../../../daemon/authenticators/key-requests.ts';
import type { HostFacts } from '../../../daemon/host/contract.ts';
import { systemRandomness } from '../../../daemon/lib/randomness.ts';
import { factsOf } from '../../../daemon/login/facts.ts';
import type { LoginFacts } from '../../../daemon/policy/contract.ts';
import {
  decodeAccount,
  decodeEvent,
  encodeAccount,
  encodeEvent,
} from '../../../daemon/store/sealed/records.ts';
import { hostWith } from '../../support/host.ts';
import {
  answered,
  assertAccepted,
  codeNow,
  eventsOf,
  FakeAccounts,
  makeRig,
  put,
  type Rig,
  recordOf,
  totpFactor,
} from '../../support/verifier-rig.ts';
import { realm, remember, rule } from '../policy/support.ts';

/** Logins for a host that is not the machine of sallyportd. */

let rig: Rig;
let db1: HostFacts;
const hello = {
  type: 'hello',
  service: 'sshd',
  user: 'alice',
  rhost: '192.0.2.7',
  realUid: 0,
  mode: 'prompt',
  firstFactorPassed: true,
  deadline: 100_000,
  flags: 0,
  terminal: false,
} as const;

const factsOn = (host: HostFacts) => factsOf(hello, { host, socket: 'root', peerUid: 0 });
async function openOn(host: HostFacts, facts?: LoginFacts) {
  return rig.verifier.open(facts ?? (await factsOn(host)), host);
}
async function logInOn(host: HostFacts): Promise<void> {
  const opening = await openOn(host);
  assert.ok(opening.kind === 'ask', opening.kind);
  assertAccepted(await answered(rig, opening.login, codeNow(rig)));
}

beforeEach(async () => {
  rig = makeRig(realm({ rules: [rule(remember)] }));
  await put(rig, { factors: [totpFactor()] });
  const accounts = new FakeAccounts();
  accounts.add('alice', 1000);
  db1 = hostWith({ id: 'h-1', name: 'db1', accounts });
});

describe('a login for another host', () => {
  it('is named in its event, which is stored and read again', async () => {
    await logInOn(db1);
    const [stored] = await eventsOf(rig);
    assert.ok(stored !== undefined);
    const { seq: _, ...event } = stored;
    assert.deepEqual(event.host, { id: 'h-1', name: 'db1' });
    assert.deepEqual(decodeEvent(encodeEvent(event)), event);
    assert.match(formatJournalLine(event), / account="alice" host="db1" /);
  });

  it('leaves a grant that applies neither to another host nor to this machine', async () => {
    await logInOn(db1);
    const record = await recordOf(rig);
    assert.deepEqual(
      record.grants.map(({ host }) => host),
      ['h-1'],
    );
    assert.deepEqual(decodeAccount(encodeAccount(record, 'alice'), 'alice'), record);
    assert.deepEqual(await openOn(db1), { kind: 'done', result: 'ignore' });
    const db2 = { ...db1, id: 'h-2', name: 'db2' };
    assert.equal((await openOn(db2)).kind, 'ask');
    assert.equal((await openOn(rig.host)).kind, 'ask');
  });

  it('looks up accounts on that host, and again if the answer arrives late', async () => {
    rig.accounts.unavailable = 'this machine is not asked';
    const opening = await openOn(db1);
    assert.ok(opening.kind === 'ask');
    rig.clock.pass(3_600_000);
    assertAccepted(await answered(rig, opening.login, codeNow(rig)));
  });

  it('has a challenge that names it to the security key', () => {
    const said = (host?: string) =>
      JSON.parse(clientDataFor('webauthn.get', 'x', systemRandomness, host).clientDataJSON.toString());
    assert.equal(said('h-1').host, 'h-1');
    assert.deepEqual(Object.keys(said()), ['type', 'challenge', 'origin', 'crossOrigin']);
  });
});

describe('a login for this machine', () => {
  it('stores no host name', async () => {
    await logInOn(rig.host);
    const stored = JSON.stringify([await recordOf(rig), await eventsOf(rig)]);
    assert.doesNotMatch(stored, /host/);
    assert.deepEqual(await openOn(rig.host), { kind: 'done', result: 'ignore' });
    assert.equal((await openOn(db1)).kind, 'ask');
  });
});
