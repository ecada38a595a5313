import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { AuditEvent } from '../../../daemon/audit/event.ts';
import { createClient } from '../../../daemon/client/client.ts';
import { createFollowers } from '../../../daemon/control/follow.ts';
import { limits } from '../../../daemon/limits.ts';
import { callAs } from '../../support/call-as.ts';
import { type ControlRig, startControl, uids } from '../../support/control-rig.ts';
import { callers } from '../../support/sign-ins.ts';
import { phone } from '../control/records.ts';

/**
 * Threat: an attacker who guessed a future code could wait for its time, so clients that may have guessed it are never
 * told.
 */

const paths = ['/v1/users/alice', '/v1/users/alice/factors', '/v1/audit?user=alice', '/v1/audit'];
let rig: ControlRig;
beforeEach(async () => {
  rig = await startControl();
});
afterEach(() => rig.close());

const refused = (account: string, offset: number): AuditEvent => {
  const at = Date.now();
  return {
    kind: 'login',
    outcome: 'refused',
    reason: 'wrong',
    at,
    account,
    firstFactorVerified: true,
    offset,
  };
};
const typed = async (account: string, seconds: number): Promise<void> => {
  const lastOffset = { seconds, at: Date.now() };
  await rig.store.put(account, { factors: [{ ...phone, lastOffset }] });
  await rig.store.commit({ accounts: [], events: [refused(account, seconds)] });
};
/** For each path whether the offset is reported; undefined: it may not be read. */
const reported = async (uid: number, headers: Record<string, string> = {}) => {
  const answers = await callAs(
    uid,
    rig.socket,
    paths.map((path) => ({ method: 'GET', path, headers })),
  );
  return answers.map(({ body }) =>
    body.error === undefined ? /"offset"|right code/.test(JSON.stringify(body)) : undefined,
  );
};

describe('that a wrong answer is a future code', () => {
  it('is reported to root and to administrators about others, and not to the account itself', async () => {
    await typed('alice', 180);
    assert.deepEqual(await reported(uids.alice), [false, false, false, undefined]);
    assert.deepEqual(await reported(uids.bob), [true, true, true, false]);
    assert.deepEqual(await reported(0), [true, true, true, true]);
    const { token } = rig.tokens.give({ account: 'alice', uid: uids.alice });
    const headers = { authorization: `Bearer ${token}` };
    assert.deepEqual(await reported(uids.portal, headers), [false, false, false, undefined]);
  });

  it('is not hidden once it is old: the account reads how slow its device is', async () => {
    await typed('alice', -180);
    assert.deepEqual(await reported(uids.alice), [true, true, true, undefined]);
  });

  it('is in the stream of events only for those', async () => {
    const status = await createClient({ socket: rig.socket }).status();
    const admin = {
      auditFrom: async () => [{ ...refused('alice', 180), seq: 1 }],
      follow: () => () => undefined,
      followTroubles: () => () => undefined,
      status: () => status,
    };
    const streamed = async (hearsOfCodesToCome: boolean): Promise<string> => {
      const followers = createFollowers(admin, limits);
      const through = new PassThrough();
      const response = Object.assign(through, { writeHead: () => through, flushHeaders: () => undefined });
      const reader = { caller: callers.bob, hearsOfCodesToCome };
      await followers.start(response as unknown as ServerResponse, { from: 0 }, reader);
      return String(through.read());
    };
    assert.match(await streamed(true), /"offset":180/);
    const without = await streamed(false);
    assert.match(without, /"account":"alice"/);
    assert.doesNotMatch(without, /offset/);
  });
});
