import { hostname } from 'node:os';
import { readConfig } from '../config/load.ts';
import { describeProblem } from '../config/problem.ts';
import { messageOf } from '../lib/errors.ts';

export { defaultConfigFile } from '../config/defaults.ts';

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
