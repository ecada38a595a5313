import type { ServerResponse } from 'node:http';
import type { Admin } from '../admin/contract.ts';
import type { Caller } from '../api/access.ts';
import { newestEventHeader } from '../api/error-codes.ts';
import type { FollowQuery } from '../api/views.ts';
import type { StoredAuditEvent } from '../audit/event.ts';
import { fitting, withoutCodeToCome } from '../audit/filter.ts';
import { SallyportError } from '../lib/errors.ts';
import { endIfOpen, takesMore, writeIfOpen } from '../lib/open-stream.ts';
import { limits } from '../limits.ts';

export interface Reader {
  readonly caller: Caller;
  readonly hearsOfCodesToCome: boolean;
}

/** Streams of `audit --follow`: one JSON object per line. */
export interface Followers {
  /** Sends events as they come, until the client disconnects. @throws SallyportError too-many-followers */
  start(response: ServerResponse, query: FollowQuery, reader: Reader): Promise<void>;
  count(): number;
  close(): void;
}

export interface FollowLimits {
  readonly auditFollowers: number;
  readonly auditFollowUnread: number;
  readonly pageSize: number;
}

/**
 * Invariants: every event is sent exactly once, even if the trail grows while older events are read; a follower that
 * does not read uses bounded memory; local users, however many, leave slots to root and to sallyport-notify, which
 * could send no notices without one.
 */
export function createFollowers(
  admin: Pick<Admin, 'auditFrom' | 'follow' | 'followTroubles' | 'status'>,
  limit: FollowLimits,
): Followers {
  const open = new Map<ServerResponse, number>();

  const hasPlace = ({ uid, root, portal, notify }: Caller): boolean => {
    const free = limit.auditFollowers - open.size;
    if (root || notify === true) return free > 0;
    const own = [...open.values()].filter((other) => other === uid).length;
    return free > limits.auditFollowersKept && (portal || own < limits.auditFollowersPerUid);
  };
  const start: Followers['start'] = async (response, query, { caller, hearsOfCodesToCome }) => {
    if (!hasPlace(caller))
      throw new SallyportError(
        'too-many-followers',
        `the audit trail already has ${open.size} followers; end one of them`,
      );
    open.set(response, caller.uid);
    const stream = createStream(
      response,
      limit.auditFollowUnread,
      fitting(query),
      hearsOfCodesToCome ? (event) => event : withoutCodeToCome,
    );
    const stop = admin.follow(query.user, stream.live);
    response.once('close', () => {
      stop();
      open.delete(response);
    });
    response.writeHead(200, {
      'content-type': 'application/x-ndjson',
      [newestEventHeader]: String(admin.status().store.events.last),
    });
    response.flushHeaders();
    // After the header: existing problems are sent at once. The portal's pages show only the trail.
    if (!caller.portal) response.once('close', admin.followTroubles(stream.trouble));
    await replay(admin, query, limit.pageSize, stream);
  };

  return {
    start,
    count: () => open.size,
    close: () => {
      for (const response of open.keys())
        endIfOpen(
          response,
          errorLine('shutting-down', 'sallyportd is shutting down; follow again when it is back'),
        );
    },
  };
}

/** The time in which a dropped follower may read its last line. */
const lastWords = 5_000;

interface Stream {
  /** Just committed events; they wait while `past` runs. */
  readonly live: (event: StoredAuditEvent) => void;
  /** Older events. @returns whether more may follow */
  readonly past: (event: StoredAuditEvent) => Promise<boolean>;
  /** What the trail cannot hold: that the store is unwritable. */
  readonly trouble: (event: StoredAuditEvent) => void;
  /** All older events are sent: continue with those that came meanwhile. */
  readonly catchUp: () => void;
}

function createStream(
  response: ServerResponse,
  mostUnread: number,
  fits: (event: StoredAuditEvent) => boolean,
  shown: (event: StoredAuditEvent) => StoredAuditEvent,
): Stream {
  let lastSent = -1;
  let waiting: StoredAuditEvent[] | undefined = [];
  let waitingBytes = 0;

  const letGo = () => {
    waiting = undefined;
    endIfOpen(
      response,
      errorLine('too-slow', 'the follower did not keep up; follow again from the last event seen'),
    );
    // A follower that reads nothing does not keep its buffer.
    response.socket?.setTimeout(lastWords, () => response.destroy());
  };
  const write = (event: StoredAuditEvent): boolean => {
    if (event.seq <= lastSent) return true;
    lastSent = event.seq;
    return writeIfOpen(response, `${JSON.stringify(shown(event))}\n`);
  };

  return {
    live(event) {
      if (!takesMore(response) || !fits(event)) return;
      if (waiting === undefined) {
        write(event);
        if (response.writableLength > mostUnread) letGo();
        return;
      }
      waiting.push(event);
      waitingBytes += JSON.stringify(event).length;
      if (waitingBytes > mostUnread) letGo();
    },
    trouble(event) {
      if (fits(event)) writeIfOpen(response, `${JSON.stringify(event)}\n`);
    },
    async past(event) {
      if (fits(event) && !write(event)) await drained(response);
      return takesMore(response);
    },
    catchUp() {
      const events = waiting ?? [];
      waiting = undefined;
      for (const event of events) write(event);
    },
  };
}

async function replay(
  admin: Pick<Admin, 'auditFrom'>,
  query: { readonly user?: string; readonly from?: number },
  pageSize: number,
  stream: Stream,
): Promise<void> {
  let next = query.from === undefined ? undefined : query.from + 1;
  while (next !== undefined) {
    const events = await admin.auditFrom(next, query.user, pageSize);
    for (const event of events) if (!(await stream.past(event))) return;
    const last = events.at(-1);
    next = last === undefined || events.length < pageSize ? undefined : last.seq + 1;
  }
  stream.catchUp();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      response.off('drain', go);
      response.off('close', go);
      resolve();
    };
    response.on('drain', go);
    response.on('close', go);
    if (response.destroyed) go();
  });
}

function errorLine(code: string, message: string): string {
  return `${JSON.stringify({ error: { code, message } })}\n`;
}
