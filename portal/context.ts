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
  /** Milliseconds; setting the clock does not change them. */
  readonly monotonic: () => number;
}

/** What serving a request needs. */
export interface ServerContext {
  readonly site: Site;
  readonly daemon: PortalDaemon;
  readonly sessions: Sessions;
  readonly rateLimits: {
    readonly signIns: RateLimiter;
    readonly wrong: RateLimiter;
    readonly guesses: RateLimiter;
  };
  readonly familiar: Familiar;
  readonly clock: Clock;
  readonly log: Log;
}

/** A request that named one of our origins, and its source. */
export interface Visit {
  readonly request: IncomingMessage;
  readonly at: Origin;
  readonly source: string | undefined;
}

/** One request to the API, with what every handler needs. */
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
  /** Sets the session cookie; undefined clears it. */
  readonly keep: (id: string | undefined) => void;
}

export type RouteName = keyof PortalApi;

/** One handler for each route of the contract. */
export type Handlers = {
  readonly [Name in RouteName]: (
    context: ServerContext,
    call: ApiRequest,
  ) => Promise<PortalApi[Name]['gives']>;
};
