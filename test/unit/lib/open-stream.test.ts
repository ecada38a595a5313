import assert from 'node:assert/strict';
import { createServer, get, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import type { StoredAuditEvent } from '../../../daemon/audit/event.ts';
import type { Approvals } from '../../../daemon/authenticators/approvals.ts';
import { createApprovalsApi } from '../../../daemon/ceremonies/approvals-api.ts';
import { createFollowers } from '../../../daemon/control/follow.ts';
import { endIfOpen, takesMore, writeIfOpen } from '../../../daemon/lib/open-stream.ts';
import { limits } from '../../../daemon/limits.ts';
import { eventOf } from '../../support/store-records.ts';

/** A response whose test sees what would end the program. */
function response(): {
  readonly response: ServerResponse;
  readonly errors: Error[];
  readonly said: () => string;
} {
  const errors: Error[] = [];
  const stream = new PassThrough();
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  stream.on('error', (error) => errors.push(error));
  const all = Object.assign(stream, { writeHead: () => stream, flushHeaders: () => undefined });
  return { response: all as unknown as ServerResponse, errors, said: () => text };
}
const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe('a stream that has ended', () => {
  it('accepts nothing more, without an error', async () => {
    const { response: one, errors, said } = response();
    assert.ok(takesMore(one));
    writeIfOpen(one, 'a');
    endIfOpen(one, 'b');
    endIfOpen(one, 'c');
    assert.equal(writeIfOpen(one, 'd'), true);
    await settled();
    assert.deepEqual([errors, said()], [[], 'ab']);
    const { response: gone } = response();
    gone.destroy();
    assert.ok(!takesMore(gone));
    endIfOpen(gone, 'e');
    await settled();
  });

  it('may be one of HTTP', async () => {
    const errors: Error[] = [];
    const server = createServer((_, answer) => {
      answer.on('error', (error) => errors.push(error));
      for (const text of ['one', 'two']) endIfOpen(answer, text);
      writeIfOpen(answer, 'three');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const text = await new Promise<string>((resolve) => {
      get({ port, host: '127.0.0.1', agent: false }, (answer) => {
        let body = '';
        answer.on('data', (chunk: Buffer) => {
          body += chunk.toString();
        });
        answer.on('end', () => resolve(body));
      });
    });
    server.close();
    assert.deepEqual([text, errors], ['one', []]);
  });
});

describe('ended followers', () => {
  it('of the audit trail receive nothing later, and are ended once', async () => {
    let live: (event: StoredAuditEvent) => void = () => undefined;
    let trouble: (event: StoredAuditEvent) => void = () => undefined;
    const admin = {
      auditFrom: async () => [],
      follow: (_: string | undefined, listener: typeof live) => {
        live = listener;
        return () => undefined;
      },
      followTroubles: (listener: typeof trouble) => {
        trouble = listener;
        return () => undefined;
      },
      status: () => ({ store: { events: { first: 1, last: 0 } } }),
    };
    const followers = createFollowers(admin as unknown as Parameters<typeof createFollowers>[0], limits);
    const { response: one, errors, said } = response();
    await followers.start(
      one,
      {},
      {
        caller: { uid: 0, root: true, portal: false, admin: false },
        hearsOfCodesToCome: true,
      },
    );
    followers.close();
    followers.close();
    for (const tell of [live, trouble]) tell({ ...eventOf('alice'), seq: 1 });
    await settled();
    assert.deepEqual(errors, []);
    assert.equal(said().match(/shutting-down/g)?.length, 1);
    assert.doesNotMatch(said(), /alice/);
  });

  it('of approvals as well', async () => {
    let tell: (of: object) => void = () => undefined;
    const approvals = {
      follow: (_: string, listener: typeof tell) => {
        tell = listener;
        return () => undefined;
      },
      pendingOf: () => [],
    };
    const context = createApprovalsApi(approvals as unknown as Approvals, { rpId: () => '', machine: 'm' });
    const { response: one, errors } = response();
    context.follow(one, 'alice');
    context.close();
    context.close();
    tell({ approval: { handle: 'x' }, over: true });
    await settled();
    assert.deepEqual(errors, []);
  });
});
