import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import type { Approvals } from '../../../daemon/authenticators/approvals.ts';
import { createApprovalsApi } from '../../../daemon/ceremonies/approvals-api.ts';
import { limits } from '../../../daemon/limits.ts';

/** A response whose client reads, as far as the API uses it. */
function openPage(): ServerResponse {
  const stream = new PassThrough().resume();
  return Object.assign(stream, {
    writeHead: () => stream,
    flushHeaders: () => undefined,
  }) as unknown as ServerResponse;
}

describe('pages that wait for logins to approve', () => {
  it('are bounded in number, and a page that is closed makes room for another', () => {
    let followers = 0;
    const approvals = {
      follow: () => {
        followers += 1;
        return () => {
          followers -= 1;
        };
      },
      pendingOf: () => [],
    } as unknown as Approvals;
    const api = createApprovalsApi(approvals, { rpId: () => 'localhost', machine: 'localhost' });
    const pages = Array.from({ length: limits.approvalFollowers }, openPage);
    for (const page of pages) api.follow(page, 'alice');
    assert.equal(followers, limits.approvalFollowers);
    assert.throws(() => api.follow(openPage(), 'bob'), { code: 'too-many-followers' });
    assert.equal(followers, limits.approvalFollowers);
    pages[0]?.emit('close');
    api.follow(openPage(), 'bob');
    assert.equal(followers, limits.approvalFollowers);
    for (const page of pages) page.destroy();
  });
});
