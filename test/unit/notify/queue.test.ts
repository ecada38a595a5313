import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StoredAuditEvent } from '../../../daemon/audit/event.ts';
import { noticeOf } from '../../../notify/notices.ts';
import { Queue } from '../../../notify/queue.ts';
import { eventOf } from '../../support/store-records.ts';

const at = (seq: number): StoredAuditEvent => ({ ...eventOf('alice'), seq });

describe('events that are reported', () => {
  const name = (fields: Partial<StoredAuditEvent>) => noticeOf({ ...at(1), ...fields });
  const factor = (kind: string) => ({ factor: { id: 'i', kind, name: 'n' } });
  const refused = { outcome: 'refused', reason: 'wrong' } as const;

  for (const [wanted, fields] of [
    ['locked', { ...refused, locked: 'all' }],
    ['locked', { kind: 'verify', ...refused, locked: 'codes' }],
    ['recovery-key-used', { remaining: 3, ...factor('recovery') }],
    ['last-recovery-key-used', { remaining: 0, ...factor('recovery') }],
    ['factor-added', { kind: 'factor-added', outcome: 'done', ...factor('totp') }],
    ['bypass-code-issued', { kind: 'factor-added', outcome: 'done', reason: 'issued', ...factor('bypass') }],
    ['exempted', { kind: 'exempted', outcome: 'done', reason: 'issued' }],
    [undefined, { kind: 'exempted', outcome: 'done', reason: 'revoked' }],
    ['factor-disabled', { kind: 'factor-disabled', outcome: 'done' }],
    ['factor-removed', { kind: 'factor-removed', outcome: 'done' }],
    ['approval-denied', { outcome: 'refused', reason: 'denied' }],
    ['store-trouble', { kind: 'store', outcome: 'error', reason: 'unwritable' }],
    ['store-recovered', { kind: 'store', outcome: 'done', reason: 'writable-again' }],
    [undefined, {}],
    [undefined, refused],
    [undefined, { kind: 'factor-added', ...refused }],
    [undefined, { kind: 'factor-renamed', outcome: 'done' }],
  ] as const)
    it(`${wanted ?? 'nothing'}: ${JSON.stringify(fields)}`, () => assert.equal(name(fields), wanted));
});

describe('the queue', () => {
  it('keeps the order, and counts the excess in its position', () => {
    const queue = new Queue(3, 'host');
    for (let seq = 1; seq <= 10; seq += 1) queue.push('locked', at(seq));
    assert.equal(queue.length, 4);
    assert.equal(queue.reportedUpTo(10), 0);
    for (let reported = 0; reported < 2; reported += 1) queue.shift();
    assert.equal(queue.reportedUpTo(10), 2);
    queue.push('locked', at(11));
    queue.push('locked', at(12));
    queue.shift();
    const counted = queue.first()?.notice;
    assert.deepEqual([counted?.notice, counted?.count, counted?.first, counted?.last], ['dropped', 7, 4, 10]);
    assert.equal(queue.reportedUpTo(12), 3);
    queue.shift();
    assert.equal(queue.first()?.seq, 11);
    queue.shift();
  });

  it('continues counting while it is full', () => {
    const queue = new Queue(3, 'host');
    for (let seq = 1; seq <= 5; seq += 1) queue.push('locked', at(seq));
    queue.shift();
    queue.push('locked', at(6));
    assert.equal(queue.length, 3);
    queue.shift();
    queue.push('locked', at(7));
    const reported = [queue.first()];
    queue.shift();
    reported.push(queue.first());
    queue.shift();
    reported.push(queue.first());
    assert.deepEqual(
      reported.map((one) => [one?.notice.notice, one?.seq, one?.notice.count]),
      [
        ['locked', 3, undefined],
        ['dropped', 4, 3],
        ['locked', 7, undefined],
      ],
    );
  });

  it('has no entry for the state of the store', () => {
    const queue = new Queue(3, 'host');
    queue.push('store-trouble', at(0));
    assert.equal(queue.reportedUpTo(7), 7);
  });
});
