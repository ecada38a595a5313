import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type ControlClient, createClient } from '../../../daemon/client/client.ts';
import { totp } from '../../support/codes.ts';
import { type ControlRig, startControl } from '../../support/control-rig.ts';
import { held } from '../../support/held.ts';
import { trailOf } from '../../support/sign-ins.ts';
import { until } from '../../support/until.ts';
import { phone, seed } from './records.ts';

let rig: ControlRig;
beforeEach(async () => {
  rig = await startControl();
  await rig.store.put('alice', { factors: [phone] });
});
afterEach(() => rig.close());

/** Makes a request, and disconnects at the second read of its record: the first identifies the account. */
async function hangUp(ask: (client: ControlClient) => Promise<unknown>): Promise<void> {
  const ending = new AbortController();
  const read = rig.store.account.bind(rig.store);
  const { promise, release } = held();
  let reads = 0;
  rig.store.account = async (name) => {
    reads += 1;
    if (reads > 1) await promise;
    return read(name);
  };
  const answered = ask(createClient({ socket: rig.socket, signal: ending.signal }));
  await until(() => reads > 1, 60_000);
  ending.abort();
  await assert.rejects(answered, { code: 'daemon-unreachable' });
  await until(() => rig.server.connections() === 0, 60_000);
  rig.store.account = read;
  release();
}

describe('a caller that disconnects', () => {
  it('does not use the code that was verified', async () => {
    const code = totp(seed);
    await hangUp((client) => client.verify('alice', { answer: code }));
    await until(() => rig.store.trail.length > 0, 60_000);
    assert.deepEqual(trailOf(rig), ['verify abandoned disconnected']);
    const { outcome } = await createClient({ socket: rig.socket }).verify('alice', { answer: code });
    assert.equal(outcome, 'accepted');
  });

  it('does not use the code for a new factor, and adds none', async () => {
    const secret = Buffer.from('a-seed-that-is-new--');
    const settings = { kind: 'totp', period: 30, digits: 6, algorithm: 'sha1', verify: true } as const;
    const body = { ...settings, secret: secret.toString('base64'), code: totp(secret) };
    await hangUp((client) => client.addFactor('alice', body));
    // It follows the first one, which holds the account's mutex.
    await createClient({ socket: rig.socket }).addFactor('alice', body);
    assert.deepEqual(trailOf(rig), ['factor-added done verified']);
    assert.equal((await rig.store.get('alice'))?.factors.length, 2);
  });
});
