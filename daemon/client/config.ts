import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import type { Config, PortalConfig } from '../config/contract.ts';
import { systemPaths } from '../config/defaults.ts';
import { likelyPaths, rootOf } from '../config/in-force.ts';
import { readConfig } from '../config/load.ts';
import { describeProblem } from '../config/problem.ts';
import { messageOf } from '../lib/errors.ts';

export { defaultConfigFile } from '../config/defaults.ts';
export type { Config, PortalConfig };
export { rootOf, systemPaths };

/** The configuration file as it is on disk; the configuration in force in sallyportd may differ. */
export type ConfigFile =
  | { readonly kind: 'good'; readonly config: Config }
  /** `problems`: lines for people, each with file and line. `paths`: where things most likely lie. */
  | { readonly kind: 'bad'; readonly problems: readonly string[]; readonly paths: Config['paths'] }
  | { readonly kind: 'absent' | 'unseen'; readonly why: string; readonly paths: Config['paths'] };

/** Reads the whole file, as sallyportd does. */
export async function readConfigFile(file: string): Promise<ConfigFile> {
  try {
    const parsed = await readConfig(file, hostname());
    if (parsed.ok) return { kind: 'good', config: parsed.config };
    return {
      kind: 'bad',
      problems: parsed.problems.map(describeProblem),
      paths: likelyPaths(file, undefined),
    };
  } catch (error) {
    const kind = isAbsence(error instanceof Error ? error.cause : undefined) ? 'absent' : 'unseen';
    return { kind, why: messageOf(error), paths: likelyPaths(file, undefined) };
  }
}

function isAbsence(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR');
}

/** What the portal needs of the configuration. */
export interface PortalSetting {
  readonly controlSocket: string;
  readonly portal: PortalConfig;
  readonly rpId: string;
  readonly issuer: string;
  /** Of the file as it was read. */
  readonly digest: string;
}

export type ReadPortalSetting =
  | { readonly ok: true; readonly setting: PortalSetting }
  /** Lines for people, each with file and line where there is one. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** A digest of all that the portal reads when it starts, for comparison. */
export function settingsDigest({ portal, webauthn, issuer }: Config): string {
  return createHash('sha256')
    .update(JSON.stringify([portal, webauthn, issuer]))
    .digest('hex');
}

/** Reads the whole file, as sallyportd does: what is bad for one is bad for both. */
export async function readPortalSetting(file: string): Promise<ReadPortalSetting> {
  try {
    const parsed = await readConfig(file, hostname());
    if (!parsed.ok) return { ok: false, problems: parsed.problems.map(describeProblem) };
    const { paths, portal, webauthn, issuer } = parsed.config;
    if (portal === undefined || webauthn === undefined)
      return {
        ok: false,
        problems: [`${file} has no [portal]; docs/how-to/set-up-portal.md says what belongs in it`],
      };
    const digest = settingsDigest(parsed.config);
    return {
      ok: true,
      setting: { controlSocket: paths.controlSocket, portal, rpId: webauthn.rpId, issuer, digest },
    };
  } catch (error) {
    return { ok: false, problems: [messageOf(error)] };
  }
}

/** What sallyport-notify needs of the configuration. */
export interface NotifySetting {
  readonly controlSocket: string;
  readonly program: readonly [program: string, ...words: string[]];
  readonly host: string;
}

export type ReadNotifySetting =
  | { readonly ok: true; readonly setting: NotifySetting }
  /** Lines for people, each with file and line where there is one. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** Reads the whole file, as sallyportd does: what is bad for one is bad for both. */
export async function readNotifySetting(file: string): Promise<ReadNotifySetting> {
  try {
    const parsed = await readConfig(file, hostname());
    if (!parsed.ok) return { ok: false, problems: parsed.problems.map(describeProblem) };
    const { paths, notify } = parsed.config;
    if (notify === undefined)
      return { ok: false, problems: [`${file} names no program to run: notify = ["/path/to/program"]`] };
    return { ok: true, setting: { controlSocket: paths.controlSocket, program: notify, host: hostname() } };
  } catch (error) {
    return { ok: false, problems: [messageOf(error)] };
  }
}
