import { hostname } from 'node:os';
import type { Config } from '../config/contract.ts';
import { systemPaths } from '../config/defaults.ts';
import { likelyPaths, rootOf } from '../config/in-force.ts';
import { readConfig } from '../config/load.ts';
import { describeProblem } from '../config/problem.ts';
import { messageOf } from '../lib/errors.ts';

export type { Config };
export { rootOf, systemPaths };

/** The configuration file as it stands, whoever asks; sallyportd may have another one in force. */
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
