import { existsSync, readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Config } from '../config/contract.ts';
import { type Configuration, likelyPaths, loadConfiguration } from '../config/in-force.ts';
import { SallyportError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { createMasterKey, type Keyring, loadKeyring } from '../sealing/keyring.ts';
import { dropPrivilegesTo, ownerOf } from './drop-privileges.ts';

/** What every work on a store without a daemon begins with. */
export interface OfflineContext {
  readonly configuration: Configuration;
  readonly keyring: Keyring;
  readonly paths: Config['paths'];
}

/** The log of a command: what a person at the terminal has to see. */
export const quiet: Log = {
  info: () => undefined,
  warning: () => undefined,
  error: (event, fields) =>
    void process.stderr.write(`sallyportd: ${event} ${JSON.stringify(fields ?? {})}\n`),
};

/**
 * Reads the configuration and the master key, as the user whose store it is; a key of root's, which the service
 * manager passes on to the daemon, is read before that.
 *
 * @param options makeKey: where there is no master key a new one is made, or it is said how one can be
 * @throws SallyportError config-invalid, store-key, store-missing, not-permitted
 */
export function prepare(file: string, options: { readonly makeKey?: boolean } = {}): OfflineContext {
  let text: string | undefined;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    // Said below, with what else there is to say of it.
  }
  const likely = likelyPaths(file, text);
  const ofRoot = statSync(likely.masterKey, { throwIfNoEntry: false })?.uid === 0;
  const early = ofRoot ? loadKeyring({ path: likely.masterKey }) : undefined;
  if (options.makeKey === true && !existsSync(likely.masterKey)) {
    // Owned by the store's user from the start: a process killed here leaves no file that sallyportd cannot read.
    createMasterKey(likely.masterKey, process.geteuid?.() === 0 ? ownerOf(likely.store) : undefined);
  }
  if (options.makeKey === false && !existsSync(likely.masterKey))
    throw new SallyportError(
      'store-key',
      `there is no master key in ${likely.masterKey}. Where the service manager passes it on, decrypt it to there first; where it is lost, a restore with --generate-key makes a new one. Nothing was changed.`,
    );
  dropPrivilegesTo(likely.store);
  const credentials = process.env.CREDENTIALS_DIRECTORY;
  const asked = { file, host: hostname(), now: Date.now, log: quiet };
  const { configuration, keyring } = loadConfiguration(
    asked,
    (path) => early ?? loadKeyring({ path, ...(credentials === undefined ? {} : { credentials }) }),
  );
  return { configuration, keyring, paths: configuration.current().paths };
}
