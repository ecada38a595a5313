import type { IncomingMessage } from 'node:http';
import type { Log } from '../daemon/lib/log.ts';
import type { PortalApi } from './contract.ts';
import type { PortalDaemon } from './daemon.ts';
import type { Familiar } from './familiar.ts';
import type { RateLimiter } from './http/rate-limiter.ts';
import type { Origin, Site } from './http/site.ts';
import type { Session, Sessions } from './sessions.ts';

export interface Clock {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds that no setting of the clock moves. */
  readonly monotonic: () => number;
}

/** What serving a request needs. */
export interface ServerContext {
  readonly site: Site;
  readonly daemon: PortalDaemon;
  readonly sessions: Sessions;
  readonly tries: {
    readonly signIns: RateLimiter;
    readonly wrong: RateLimiter;
    readonly guesses: RateLimiter;
  };
  readonly familiar: Familiar;
  readonly clock: Clock;
  readonly log: Log;
}

/** A request that came under a name of ours, and where from. */
export interface Visit {
  readonly request: IncomingMessage;
  readonly at: Origin;
  readonly source: string | undefined;
}

/** One request to the API: everything that all of them need is settled. */
export interface ApiRequest {
  readonly at: Origin;
  readonly source: string | undefined;
  readonly session: Session | undefined;
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** @throws PortalError body-too-large, bad-request */
  readonly body: () => Promise<unknown>;
  /** @returns a signal that is aborted once the browser has ended the request */
  readonly ended: () => AbortSignal;
  /** The browser gets this session's id from now on; undefined: none. */
  readonly keep: (id: string | undefined) => void;
}

export type RouteName = keyof PortalApi;

/** One for each route of the contract, which gives what the contract says. */
export type Handlers = {
  readonly [Name in RouteName]: (
    context: ServerContext,
    call: ApiRequest,
  ) => Promise<PortalApi[Name]['gives']>;
};
