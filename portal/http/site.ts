import { PortalError } from './errors.ts';

/** One of the origins under which browsers reach the portal. */
export interface Origin {
  /** As browsers send it: "https://login.example.org:8443". */
  readonly text: string;
  /** As browsers send it in Host: without the default port. */
  readonly host: string;
  readonly hostname: string;
  readonly secure: boolean;
}

export interface Site {
  readonly name: string;
  readonly rpId: string;
  readonly origins: readonly Origin[];
  /** @throws PortalError origin (421) */
  at(host: string | undefined): Origin;
  /** @throws PortalError origin (403) */
  demand(origin: string | undefined, at: Origin): void;
}

/**
 * Invariants:
 * - requests for other host names are rejected: otherwise a page whose name resolves to our address (DNS rebinding)
 *   could talk to us as its own server;
 * - a change comes from a page of exactly the origin that it is sent to, as the browser states; a request that states
 *   no origin is rejected like one that states another.
 */
export function createSite(options: {
  readonly name: string;
  readonly rpId: string;
  readonly origins: readonly string[];
}): Site {
  const origins = options.origins.map((text): Origin => {
    const { host, hostname, protocol } = new URL(text);
    return { text, host, hostname, secure: protocol === 'https:' };
  });
  const expected = options.origins.join(' or ');
  return {
    name: options.name,
    rpId: options.rpId,
    origins,
    at(host) {
      const found = origins.find((origin) => origin.host === host?.toLowerCase());
      if (found !== undefined) return found;
      throw new PortalError(
        'origin',
        `this portal is ${expected}, but the request named another host; ` +
          'use that address, let the reverse proxy pass Host on, or add the origin to [portal] origins',
        { status: 421 },
      );
    },
    demand(origin, at) {
      if (origin === at.text) return;
      throw new PortalError(
        'origin',
        `only pages of ${expected} may make changes, each on its own origin; the browser named another origin, or none`,
      );
    },
  };
}
