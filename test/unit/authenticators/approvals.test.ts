import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import {
  type Approval,
  type Approvals,
  type BrowserAnswer,
  createApprovals,
} from '../../../daemon/authenticators/approvals.ts';
import { createAssertions } from '../../../daemon/authenticators/assertions.ts';
import { isFailure, type KeyRequest, questionFor } from '../../../daemon/authenticators/key-requests.ts';
import { createLog } from '../../../daemon/lib/log.ts';
import { systemRandomness } from '../../../daemon/lib/randomness.ts';
import { limits } from '../../../daemon/limits.ts';
import { keyOf } from '../../support/credential.ts';
import { type Asked, assertionBy, legacyKey, type SoftKey, softKey } from '../../support/soft-keys.ts';
import { FakeClock } from '../../support/verifier-rig.ts';
import { facts } from '../policy/support.ts';

/** Logins pending an approval in a browser, with real signatures. */

const origin = 'https://login.example.org';
const another = 'https://sso.login.example.org';
let clock: FakeClock;
let approvals: Approvals;
let key: SoftKey;
beforeEach(() => {
  clock = new FakeClock();
  key = softKey();
  approvals = createApprovals({
    assertions: createAssertions(createLog(() => undefined, false)),
    randomness: systemRandomness,
    clock,
    origins: () => [origin, another],
  });
});

// A pending wait would keep the process alive.
afterEach(() => {
  for (const account of ['alice', 'bob'])
    for (const { id } of approvals.pendingOf(account)) approvals.deny(id);
});

function open(account = 'alice', by = key): Approval {
  const question = questionFor([keyOf(by.record)], 'discouraged');
  assert.ok(question !== undefined);
  return approvals.open(account, facts(), question, [by.record]);
}

function answerBy(
  by: Parameters<typeof assertionBy>[0],
  challenge: string,
  changes: Asked = {},
): BrowserAnswer {
  const made = assertionBy(by, { challenge, origin, ...changes });
  return {
    credentialId: made.credentialId,
    clientDataJSON: made.clientDataJSON.toString('base64url'),
    authenticatorData: made.authenticatorData.toString('base64url'),
    signature: made.signature.toString('base64url'),
  };
}
const signed = (approval: Approval, changes: Asked = {}) => answerBy(key, approval.challenge, changes);
const wait = (approval: Approval, deadline = 600_000) => approvals.wait(approval, deadline);

/** How it ended for the login, or that it is pending. */
async function ended({ outcome }: KeyRequest): Promise<string> {
  const pending = Symbol('pending');
  const settled = await Promise.race([outcome, new Promise((resolve) => setImmediate(resolve, pending))]);
  if (settled === pending) return 'waits';
  return isFailure(settled as object) ? (settled as { reason: string }).reason : 'approved';
}

const wrongNumber = ({ number }: Approval) => (number === '10' ? '11' : '10');

describe('an approval', () => {
  it('has a link of 80 random bits, a handle, a number and a separate challenge', () => {
    const [one, two] = [open(), open()];
    assert.match(one.id, /^[0-9a-hjkmnp-tv-z]{16}$/);
    assert.equal(one.link, `${origin}/approve#${one.id}`);
    assert.equal(Buffer.from(one.handle, 'base64url').length, 10);
    assert.match(one.number, /^[1-9][0-9]$/);
    assert.equal(Buffer.from(one.challenge, 'base64url').length, 32);
    for (const field of ['id', 'handle', 'challenge'] as const) assert.notEqual(one[field], two[field]);
  });

  it('is given by a key of the account, and its login receives it', async () => {
    const approval = open();
    const waiting = wait(approval);
    assert.equal(await ended(waiting), 'waits');
    assert.equal(await approvals.answer(approval.id, signed(approval), undefined), 'approved');
    const outcome = await waiting.outcome;
    assert.ok(!isFailure(outcome));
    assert.deepEqual([outcome.challenge, outcome.origin], [approval.challenge, origin]);
  });

  it('may come from any configured origin', async () => {
    const approval = open();
    assert.equal(
      await approvals.answer(approval.id, signed(approval, { origin: another }), undefined),
      'approved',
    );
  });

  it('may come from a key created for an AppID', async () => {
    const old = legacyKey(origin);
    const question = questionFor([keyOf(old.record)], 'discouraged');
    assert.ok(question !== undefined);
    const approval = approvals.open('alice', facts(), question, [old.record]);
    assert.equal(
      await approvals.answer(approval.id, answerBy(old, approval.challenge), undefined),
      'approved',
    );
  });

  it('is given once: of two tabs one gets "approved", the other that it is over', async () => {
    const approval = open();
    const tabs = [signed(approval), signed(approval)].map((given) =>
      approvals.answer(approval.id, given, undefined),
    );
    assert.deepEqual((await Promise.all(tabs)).sort(), ['approved', 'over']);
    assert.equal(await approvals.answer(approval.id, signed(approval), undefined), 'over');
    assert.equal(approvals.show(approval.id), undefined);
  });

  it('of one login does not apply to another, by link or by handle', async () => {
    const [one, two] = [open(), open()];
    const [first, second] = [wait(one), wait(two)];
    assert.equal(await approvals.answer(two.id, signed(one), undefined), 'refused');
    assert.equal(await approvals.answer(two.handle, signed(one), two.number), 'refused');
    assert.deepEqual([await ended(first), await ended(second)], ['waits', 'waits']);
  });

  const wrong: readonly (readonly [string, Asked])[] = [
    ['a signature over something else', { wrongSignature: true }],
    ['a foreign origin', { origin: 'https://evil.example' }],
    ['the origin of keys at this machine', { origin: 'pam://login.example.org' }],
    ['nobody there', { up: false }],
    ['the making of a key', { type: 'webauthn.create' }],
    ['another relying party', { rpId: 'evil.example' }],
  ];
  for (const [what, changes] of wrong)
    it(`with ${what} is rejected, and may be retried`, async () => {
      const approval = open();
      const waiting = wait(approval);
      assert.equal(await approvals.answer(approval.id, signed(approval, changes), undefined), 'refused');
      assert.equal(await ended(waiting), 'waits');
      assert.equal(await approvals.answer(approval.id, signed(approval), undefined), 'approved');
    });

  it('by a key of another account is rejected, under its own id and under a borrowed one', async () => {
    const approval = open();
    const bobs = answerBy(softKey({ id: 'w2' }), approval.challenge);
    assert.equal(await approvals.answer(approval.id, bobs, undefined), 'refused');
    const borrowed = { ...bobs, credentialId: key.record.credentialId };
    assert.equal(await approvals.answer(approval.id, borrowed, undefined), 'refused');
  });

  it('ends after three rejected ones', async () => {
    const approval = open();
    const waiting = wait(approval);
    const bad = () => approvals.answer(approval.id, signed(approval, { wrongSignature: true }), undefined);
    assert.deepEqual(
      [await bad(), await bad(), await bad(), await bad()],
      ['refused', 'refused', 'refused', 'over'],
    );
    assert.equal(await ended(waiting), 'denied');
  });

  it('without JSON, signature or anything is rejected, and nothing is thrown', async () => {
    const approval = open();
    const nothing = { clientDataJSON: '', authenticatorData: '', signature: '' };
    const { credentialId } = key.record;
    assert.equal(await approvals.answer(approval.id, { credentialId, ...nothing }, undefined), 'refused');
    const text = Buffer.from('null').toString('base64url');
    const odd = { credentialId, ...nothing, clientDataJSON: text };
    assert.equal(await approvals.answer(approval.id, odd, undefined), 'refused');
  });
});

describe('an id', () => {
  it('that is stale, guessed, cut or empty belongs to no approval', async () => {
    const approval = open();
    for (const id of ['', 'x', approval.id.slice(1), approval.id.toUpperCase(), approval.number, 'alice']) {
      assert.equal(approvals.show(id), undefined, id);
      assert.equal(approvals.deny(id), 'over');
      assert.equal(await approvals.answer(id, signed(approval), approval.number), 'over');
    }
    assert.notEqual(approvals.show(approval.id), undefined);
  });

  it('in the link shows the number, which need not be typed', () => {
    const approval = open();
    assert.equal(approvals.show(approval.id)?.byLink, true);
    assert.equal(approvals.show(approval.handle)?.byLink, false);
  });

  it('in the handle needs the number', async () => {
    const approval = open();
    assert.equal(await approvals.answer(approval.handle, signed(approval), approval.number), 'approved');
    const without = open();
    const waiting = wait(without);
    assert.equal(await approvals.answer(without.handle, signed(without), undefined), 'wrong-number');
    assert.equal(await ended(waiting), 'denied');
  });

  for (const by of ['id', 'handle'] as const)
    it(`with one wrong number ends the approval, by the ${by}, whatever key signed`, async () => {
      const approval = open();
      const waiting = wait(approval);
      const given = signed(approval);
      assert.equal(await approvals.answer(approval[by], given, wrongNumber(approval)), 'wrong-number');
      assert.equal(await ended(waiting), 'denied');
      assert.equal(await approvals.answer(approval[by], given, approval.number), 'over');
    });

  it('denies, by the link and by the handle, once', async () => {
    for (const by of ['id', 'handle'] as const) {
      const approval = open();
      const waiting = wait(approval);
      assert.deepEqual([approvals.deny(approval[by]), approvals.deny(approval[by])], ['denied', 'over']);
      assert.equal(await ended(waiting), 'denied');
    }
  });

  it('denied while the signature is verified allows no login', async () => {
    const approval = open();
    const waiting = wait(approval);
    const answering = approvals.answer(approval.id, signed(approval), undefined);
    assert.equal(approvals.deny(approval.handle), 'denied');
    assert.equal(await answering, 'over');
    assert.equal(await ended(waiting), 'denied');
  });
});

describe('its time', () => {
  it('is 90 seconds, by a monotonic clock', async () => {
    const [early, late] = [open(), open()];
    clock.at += 86_400_000;
    clock.mono += 90_000 - 1;
    assert.equal(await approvals.answer(early.id, signed(early), undefined), 'approved');
    const waiting = wait(late);
    clock.at -= 2 * 86_400_000;
    clock.mono += 1;
    assert.equal(approvals.show(late.id), undefined);
    assert.equal(await approvals.answer(late.id, signed(late), undefined), 'over');
    assert.equal(await ended(waiting), 'no-touch');
  });

  it('is never longer than the login waits', async () => {
    const approval = open();
    const waiting = wait(approval, 20);
    await waiting.outcome;
    assert.equal(await ended(waiting), 'no-touch');
    assert.equal(await approvals.answer(approval.id, signed(approval), undefined), 'over');
  });

  it('ending while the signature is verified makes it rejected', async () => {
    const approval = open();
    const answering = approvals.answer(approval.id, signed(approval), undefined);
    clock.mono += 90_000;
    assert.equal(await answering, 'over');
  });

  it('ends with the login', async () => {
    const approval = open();
    const waiting = wait(approval);
    waiting.cancel();
    assert.equal(await ended(waiting), 'cancelled');
    assert.equal(await approvals.answer(approval.id, signed(approval), undefined), 'over');
    assert.deepEqual(approvals.pendingOf('alice'), []);
  });

  it('leaves nothing behind, also for a login that never waited', () => {
    open();
    open('bob');
    clock.mono += limits.approvalDeadline;
    assert.deepEqual([approvals.pendingOf('alice'), approvals.pendingOf('bob')], [[], []]);
  });

  it('ended before the login waits ends for it', async () => {
    const approval = open();
    approvals.deny(approval.id);
    assert.equal(await ended(wait(approval)), 'no-touch');
  });
});

describe('pending approvals', () => {
  it('of one account are three, and the oldest is displaced; those of others stay', async () => {
    const bobs = wait(open('bob'));
    const all = Array.from({ length: 4 }, () => open());
    const waiting = all.map((approval) => wait(approval));
    assert.deepEqual(
      approvals.pendingOf('alice').map(({ id }) => id),
      all.slice(1).map(({ id }) => id),
    );
    assert.deepEqual(await Promise.all(waiting.map(ended)), ['no-touch', 'waits', 'waits', 'waits']);
    assert.equal(await ended(bobs), 'waits');
  });

  it('end the login when displaced', async () => {
    const first = wait(open());
    for (let times = 0; times < 3; times += 1) open();
    assert.equal(await ended(first), 'cancelled');
  });

  it('take no slot once they expired', async () => {
    for (let times = 0; times < 3; times += 1) open();
    clock.mono += limits.approvalDeadline;
    open();
    assert.equal(approvals.pendingOf('alice').length, 1);
  });
});

describe('followers', () => {
  const reported = (account: string) => {
    const heard: string[] = [];
    const stop = approvals.follow(account, ({ approval, over }) =>
      heard.push(`${approval.account} ${over ? 'over' : 'waits'}`),
    );
    return { heard, stop };
  };

  it("receive only their own account's approvals, begin and end, each once", () => {
    const [alice, bob] = [reported('alice'), reported('bob')];
    const approval = open();
    const other = open('bob');
    approvals.deny(approval.id);
    approvals.deny(approval.id);
    wait(other).cancel();
    assert.deepEqual(alice.heard, ['alice waits', 'alice over']);
    assert.deepEqual(bob.heard, ['bob waits', 'bob over']);
  });

  it('receive nothing once stopped; others do', () => {
    const [one, two] = [reported('alice'), reported('alice')];
    one.stop();
    one.stop();
    open();
    assert.deepEqual([one.heard, two.heard], [[], ['alice waits']]);
  });

  it('receive expiries', async () => {
    const { heard } = reported('alice');
    open();
    clock.mono += limits.approvalDeadline;
    approvals.pendingOf('alice');
    assert.deepEqual(heard, ['alice waits', 'alice over']);
  });
});
