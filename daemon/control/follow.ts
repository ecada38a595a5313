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

/** Streams of `audit --follow`: one JSON object a line. */
export interface Followers {
  /** Answers with events as they come, until the client is gone. @throws SallyportError too-many-followers */
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
 * What MUST hold: no event is left out and none comes twice, also where the trail grows while what
 * lies behind is read; a follower that does not read costs a bounded amount of memory; local users, however many,
 * leave places to root and to sallyport-notify, which would tell nobody of anything without one.
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
        `the audit trail is being followed by ${open.size} already; end one of them`,
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
    // Behind the head: what is wrong already is told at once.
    // The portal's pages show the trail alone.
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
          errorLine('shutting-down', 'sallyportd is going down; follow again when it is back'),
        );
    },
  };
}

/** How long a follower that is let go may take over its last line. */
const lastWords = 5_000;

interface Stream {
  /** What has just been committed; waits while `past` goes on. */
  readonly live: (event: StoredAuditEvent) => void;
  /** What lay behind. @returns whether more may follow */
  readonly past: (event: StoredAuditEvent) => Promise<boolean>;
  /** What cannot stand in the trail: that the store cannot be written. */
  readonly trouble: (event: StoredAuditEvent) => void;
  /** The past is told: on with what came meanwhile. */
  readonly catchUp: () => void;
}

function createStream(
  response: ServerResponse,
  mostUnread: number,
  fits: (event: StoredAuditEvent) => boolean,
  shown: (event: StoredAuditEvent) => StoredAuditEvent,
): Stream {
  let told = -1;
  let waiting: StoredAuditEvent[] | undefined = [];
  let waitingBytes = 0;

  const letGo = () => {
    waiting = undefined;
    endIfOpen(
      response,
      errorLine('too-slow', 'the follower did not keep up; follow again from the last event seen'),
    );
    // Whoever reads nothing at all does not get to keep what is unread.
    response.socket?.setTimeout(lastWords, () => response.destroy());
  };
  const write = (event: StoredAuditEvent): boolean => {
    if (event.seq <= told) return true;
    told = event.seq;
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
