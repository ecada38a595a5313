import assert from 'node:assert/strict';
import { get, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { ApprovalAnswerBody, ApprovalView } from '../../../daemon/api/sign-in-views.ts';
import type { Approval } from '../../../daemon/authenticators/approvals.ts';
import { isFailure } from '../../../daemon/authenticators/key-requests.ts';
import { createClient } from '../../../daemon/client/client.ts';
import { codeOf } from '../../../daemon/lib/errors.ts';
import type { Opening, Verdict } from '../../../daemon/verifier/verifier.ts';
import { callAs } from '../../support/call-as.ts';
import { type ControlRig, startControl, uids } from '../../support/control-rig.ts';
import { knows, origin, realms, trailOf } from '../../support/sign-ins.ts';
import { assertionBy, type SoftKey, softKey } from '../../support/soft-keys.ts';
import { until } from '../../support/until.ts';
import { phone } from '../control/records.ts';
import { facts } from '../policy/support.ts';

/** From the prompt of a login to the page that approves it: whose it is, which users see it, and what it allows. */

let rig: ControlRig;
let key: SoftKey;
const client = () => createClient({ socket: rig.socket });
beforeEach(async () => {
  rig = await startControl({ config: realms });
  knows(rig);
  key = softKey();
  await rig.store.put('alice', { factors: [phone, key.record] });
});
afterEach(async () => {
  for (const account of rig.names.people.keys())
    for (const { id } of rig.approvals.pendingOf(account)) rig.approvals.deny(id);
  await rig.close();
});

const ssh = { service: 'sshd', source: '192.0.2.7', rhost: '192.0.2.7' } as const;
async function open(part: Parameters<typeof facts>[0] = {}): Promise<Opening & { kind: 'ask' }> {
  const opening = await rig.verifier.open(facts({ ...ssh, ...part }), rig.host);
  assert.ok(opening.kind === 'ask', JSON.stringify(opening));
  return opening;
}
const approvalIn = ({ key: offer }: Opening & { kind: 'ask' }): Approval => {
  assert.ok(offer?.place === 'approval');
  return offer.approval;
};
function answerOf({ challenge }: Approval, by: SoftKey = key): ApprovalAnswerBody {
  const made = assertionBy(by, { challenge, origin });
  return {
    credentialId: made.credentialId,
    clientDataJSON: made.clientDataJSON.toString('base64url'),
    authenticatorData: made.authenticatorData.toString('base64url'),
    signature: made.signature.toString('base64url'),
  };
}
/** What the login does with it. */
async function verdictOf(opening: Opening & { kind: 'ask' }, by = key): Promise<Verdict> {
  const approval = approvalIn(opening);
  const { outcome } = rig.approvals.wait(approval, 60_000);
  assert.equal((await client().answerApproval(approval.id, answerOf(approval, by))).outcome, 'approved');
  const assertion = await outcome;
  assert.ok(!isFailure(assertion));
  return rig.verifier.answer(opening.login, assertion);
}

describe('an approval', () => {
  it('accepts the login, in one commit with its event', async () => {
    const verdict = await verdictOf(await open());
    assert.ok(verdict.kind === 'accepted' && verdict.result === 'success');
    assert.deepEqual(trailOf(rig), ['login success verified']);
    const [event] = rig.store.trail;
    assert.deepEqual([event?.service, event?.source, event?.factor?.id], ['sshd', '192.0.2.7', 'w1']);
  });

  it('of a key that was removed meanwhile is refused', async () => {
    const opening = await open();
    await rig.store.put('alice', { factors: [phone] });
    assert.notEqual((await verdictOf(opening)).kind, 'accepted');
  });

  it('during a full lockout is refused', async () => {
    const opening = await open();
    await rig.store.put('alice', { lock: { codes: 0, any: 10, lockedAt: Date.now() } });
    assert.notEqual((await verdictOf(opening)).kind, 'accepted');
  });

  it('transferred to another login has no effect there', async () => {
    const [one, two] = [await open(), await open()];
    const approval = approvalIn(one);
    const { outcome } = rig.approvals.wait(approval, 60_000);
    await client().answerApproval(approval.id, answerOf(approval));
    const assertion = await outcome;
    assert.ok(!isFailure(assertion));
    assert.equal((await rig.verifier.answer(two.login, assertion)).kind, 'refused');
    assert.equal((await rig.verifier.answer(one.login, assertion)).kind, 'accepted');
    assert.equal((await rig.verifier.answer(one.login, assertion)).kind, 'refused');
  });
});

describe('its link', () => {
  const shownIn = async (part: Parameters<typeof facts>[0]) => {
    const { key: offer } = await open(part);
    assert.ok(offer?.place === 'approval');
    return offer.linkShown;
  };
  const cockpit = { service: 'cockpit', reachesPerson: false };

  it('is shown if it is known to reach the user, and never otherwise', async () => {
    assert.equal(await shownIn({}), true);
    assert.equal(await shownIn(cockpit), false);
    assert.equal(await shownIn({ reachesPerson: false }), false);
  });

  it('is shown if the administrator allows it', async () => {
    rig.setConfig(`secrets_in = ["cockpit"]\n${realms}`);
    await client().reload();
    assert.equal(await shownIn(cockpit), true);
    assert.equal(await shownIn({ ...cockpit, service: 'vsftpd' }), false);
  });

  it('is not needed: the user’s own page is notified without it', async () => {
    const heard: { approval: Approval; over: boolean }[] = [];
    const stop = rig.approvals.follow('alice', (reported) => heard.push(reported));
    const opening = await open(cockpit);
    stop();
    assert.deepEqual(
      heard.map(({ approval, over }) => [approval.id, over]),
      [[approvalIn(opening).id, false]],
    );
    assert.deepEqual(rig.approvals.pendingOf('alice'), [approvalIn(opening)]);
  });
});

describe('no approval is created', () => {
  const none = () => assert.deepEqual(rig.approvals.pendingOf('alice'), []);

  it('by an unverified login', async () => {
    const { key: offer } = await open({ firstFactorVerified: false });
    assert.equal(offer, undefined);
    none();
  });

  it("by a user's own program, nor if the answer contains the password", async () => {
    await open({ rootSocket: false, firstFactorVerified: false });
    await open({ mode: 'password-and-code' });
    none();
  });

  it('for a user without a key, one who needs no factor, or one who is refused', async () => {
    await rig.store.put('alice', { factors: [phone] });
    await open();
    await rig.store.put('alice', { factors: [{ ...key.record, enabled: false }] });
    assert.equal((await rig.verifier.open(facts(ssh), rig.host)).kind, 'done');
    await rig.store.put('alice', {
      factors: [key.record],
      lock: { codes: 0, any: 10, lockedAt: Date.now() },
    });
    assert.equal((await rig.verifier.open(facts(ssh), rig.host)).kind, 'done');
    none();
  });

  it('if there is no portal', async () => {
    rig.setConfig(realms.replace(/\[portal\][\s\S]*?\n\n/, ''));
    await client().reload();
    await open();
    none();
  });
});

describe('su that asks its caller', () => {
  beforeEach(async () => {
    rig.setConfig(
      realms.replace('require = ["totp", "webauthn"]', 'require = ["totp", "webauthn"]\nsu = "caller"'),
    );
    await client().reload();
  });

  it('creates one for the caller, whose keys answer: the target’s neither see nor answer it', async () => {
    const carols = softKey({ id: 'w9' });
    await rig.store.put('carol', { factors: [carols.record] });
    const opening = await open({ service: 'su', realUid: uids.carol });
    const approval = approvalIn(opening);
    assert.equal(approval.account, 'carol');
    const { account, target } = await client().approval(approval.id, undefined);
    assert.deepEqual([account, target], ['carol', 'alice']);
    assert.deepEqual(rig.approvals.pendingOf('alice'), []);
    assert.deepEqual(
      approval.question.groups.flatMap(({ credentialIds }) => credentialIds),
      [carols.record.credentialId],
    );
    assert.equal((await client().answerApproval(approval.id, answerOf(approval, key))).outcome, 'refused');
    const verdict = await verdictOf(opening, carols);
    assert.equal(verdict.kind, 'accepted');
    const event = rig.store.trail.at(-1);
    assert.deepEqual([event?.account, event?.caller], ['alice', 'carol']);
  });

  it('creates none for a caller without an account', async () => {
    assert.equal(
      (await rig.verifier.open(facts({ ...ssh, service: 'su', realUid: 4_242 }), rig.host)).kind,
      'done',
    );
    assert.deepEqual(rig.approvals.pendingOf('alice'), []);
  });
});

describe('the page', () => {
  it('shows what it is about, and warns if the browser has another address', async () => {
    const approval = approvalIn(await open({ tty: 'pts/1' }));
    const view = await client().approval(approval.id, '192.0.2.7');
    const { key: asked, ...rest } = view;
    assert.deepEqual(
      asked.allowCredentials.map(({ id }) => id),
      [key.record.credentialId],
    );
    const { host: _, ...said } = rest;
    assert.deepEqual(said, {
      id: approval.id,
      account: 'alice',
      service: 'sshd',
      source: '192.0.2.7',
      tty: 'pts/1',
      asked: approval.asked,
      expires: approval.expires,
      number: approval.number,
      elsewhere: false,
    });
    assert.equal((await client().approval(approval.id, '192.0.2.8')).elsewhere, true);
    assert.equal((await client().approval(approval.id, undefined)).elsewhere, false);
    // The same address, as a proxy may write it.
    assert.equal((await client().approval(approval.id, '::ffff:192.0.2.7')).elsewhere, false);
  });

  it('of a user notified by the portal shows neither number nor link', async () => {
    const approval = approvalIn(await open());
    const view = await client().approval(approval.handle, undefined);
    assert.equal(view.number, undefined);
    const text = JSON.stringify(view);
    assert.ok(!text.includes(approval.id));
    assert.equal(view.id, approval.handle);
  });

  it('shows no control characters from a program', async () => {
    const approval = approvalIn(await open({ service: 's\u001b[2Jshd', rhost: 'h\u202eost', tty: '\u0007' }));
    const { service, tty } = await client().approval(approval.id, undefined);
    assert.deepEqual([service, tty], ['s?[2Jshd', '?']);
  });

  it('reveals nothing for invalid ids', async () => {
    const code = await client()
      .approval('0123456789abcdef', undefined)
      .then(() => 'ok', codeOf);
    assert.equal(code, 'no-such-approval');
    assert.equal((await client().denyApproval('0123456789abcdef')).outcome, 'over');
  });

  it('is only for the portal: no user or administrator can show, answer or deny', async () => {
    const { id } = approvalIn(await open());
    const calls = [
      { method: 'GET', path: `/v1/approvals/${id}` },
      { method: 'POST', path: `/v1/approvals/${id}`, body: '{}' },
      { method: 'POST', path: `/v1/approvals/${id}/deny`, body: '{}' },
    ];
    for (const uid of [uids.alice, uids.bob, uids.carol])
      for (const { body } of await callAs(uid, rig.socket, calls))
        assert.equal(body.error?.code, 'not-permitted');
    assert.equal(rig.approvals.pendingOf('alice').length, 1);
  });
});

describe('followers', () => {
  it("receive only their own account's pending and ended approvals, without number and link", async () => {
    const waiting = approvalIn(await open());
    const heard: string[] = [];
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const path = '/v1/users/alice/approvals/follow';
      get({ socketPath: rig.socket, path, agent: false }, resolve).on('error', reject);
    });
    response.setEncoding('utf8').on('data', (text: string) => heard.push(...text.trim().split('\n')));
    await until(() => heard.length === 1, 60_000);
    await rig.store.put('carol', { factors: [softKey({ id: 'w9' }).record] });
    await open({ user: 'carol' });
    const later = approvalIn(await open());
    rig.approvals.deny(waiting.id);
    await until(() => heard.length === 3, 60_000);
    response.destroy();
    const said = heard.map(
      (line) => JSON.parse(line) as { kind: string; id?: string; approval?: ApprovalView },
    );
    assert.deepEqual(
      said.map(({ kind, id, approval }) => [kind, id ?? approval?.id]),
      [
        ['approval', waiting.handle],
        ['approval', later.handle],
        ['approval-over', waiting.handle],
      ],
    );
    for (const { id, number } of [waiting, later]) {
      assert.ok(!heard.join().includes(id));
      assert.ok(
        said.every(({ approval }) => approval?.number === undefined),
        number,
      );
    }
  });
});
