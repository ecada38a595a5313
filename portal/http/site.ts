import { PortalError } from './errors.ts';

/** One of the addresses that browsers know the portal by. */
export interface Origin {
  /** As browsers send it: "https://login.example.org:8443". */
  readonly text: string;
  /** As they send it in Host: without the port where it is the usual one. */
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
 * What MUST hold:
 * - nothing is answered under a name that is not ours: a page of another name that resolves to us (DNS
 *   rebinding) would else speak with us as its own server;
 * - what changes something comes from a page of the very origin that it is sent to, said by the browser, to
 *   the letter; a request that does not say so is refused as one that says otherwise.
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
        `this portal is ${expected}, and the request came for another host; ` +
          'use that address, let a reverse proxy pass Host on, or add the origin to [portal] origins',
        { status: 421 },
      );
    },
    demand(origin, at) {
      if (origin === at.text) return;
      throw new PortalError(
        'origin',
        `changes are taken from pages of ${expected} alone, each for itself; the browser named another origin, or none`,
      );
    },
  };
}
