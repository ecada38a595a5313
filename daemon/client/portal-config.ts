import { hostname } from 'node:os';
import type { Config, PortalConfig } from '../config/contract.ts';
import { readConfig } from '../config/load.ts';
import { describeProblem } from '../config/problem.ts';
import { messageOf } from '../lib/errors.ts';

export { defaultConfigFile } from '../config/defaults.ts';
export type { PortalConfig };

/** What the portal needs of the configuration. */
export interface PortalSetting {
  readonly controlSocket: string;
  readonly portal: PortalConfig;
  readonly rpId: string;
  readonly issuer: string;
}

export type ReadPortalSetting =
  | { readonly ok: true; readonly setting: PortalSetting }
  /** Lines for people, each with file and line where there is one. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** What the portal reads when it starts, for comparison. */
export function readByPortal({ portal, webauthn, issuer }: Config): string {
  return JSON.stringify([portal, webauthn, issuer]);
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
    return { ok: true, setting: { controlSocket: paths.controlSocket, portal, rpId: webauthn.rpId, issuer } };
  } catch (error) {
    return { ok: false, problems: [messageOf(error)] };
  }
}
