import { settingsDigest } from '../client/config.ts';
import type { Config } from '../config/contract.ts';

/**
 * Whether the portal that runs has read what is in force. It reads its settings once, when it starts, and reports
 * their digest then and again and again, so that a sallyportd that was restarted knows it too.
 *
 * Invariant: only a message to administrators depends on it.
 */
export interface PortalSettings {
  reported(digest: string): void;
  /** Whether the portal has to be started or restarted to use the configuration. */
  isOutdated(config: Config): boolean;
}

/** @param first the configuration at the start of sallyportd, taken for the portal's until that reports its own */
export function createPortalSettings(first: Config): PortalSettings {
  let held = settingsDigest(first);
  return {
    reported(digest) {
      held = digest;
    },
    isOutdated: (config) => config.portal !== undefined && settingsDigest(config) !== held,
  };
}
