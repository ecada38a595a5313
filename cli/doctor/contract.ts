import type { StatusView } from '../../daemon/api/views.ts';
import type { ControlClient } from '../../daemon/client/client.ts';
import type { ConfigFile } from '../../daemon/client/config.ts';
import type { PamFiles } from '../pam/files.ts';
import type { TrialView } from '../pam/trial.ts';
import { catalogue, type FindingId, type Severity } from './catalogue.ts';
import type { Files, Ran } from './files.ts';

/** One result of a check. */
export type Finding =
  | { readonly severity: 'ok'; readonly summary: string }
  | {
      readonly severity: Exclude<Severity, 'ok'>;
      readonly id: FindingId;
      /** What is wrong, and where. */
      readonly summary: string;
      /** The consequence. */
      readonly impact: string;
      /** The command that corrects it, or what to do. */
      readonly fix: string;
      /** All affected accounts, if the summary names only some of them. */
      readonly accounts?: readonly string[];
    };

/** One file per check. A check changes nothing, and reports success only for what it examined. */
export interface Check {
  /** Short and stable: the heading of its findings. */
  readonly id: string;
  readonly what: string;
  /** Milliseconds; a check that takes longer is abandoned. */
  readonly limit?: number;
  run(machine: Machine): Promise<readonly Finding[]>;
}

/** The daemon's status, or why it is missing. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** Read-only access to the machine, passed in so that tests can replace it. */
export interface Machine {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The user who runs doctor. */
  readonly uid: number;
  readonly user: string;
  readonly configFile: string;
  /** Below `init --root`: everything belongs to the user who ran it. */
  readonly rooted: boolean;
  /** Version of this command. */
  readonly version: string;
  /** When this build was made; milliseconds since the epoch. */
  readonly built: () => Promise<number | undefined>;
  readonly files: Files;
  /** Runs a program that only reads, without a shell. Never throws. */
  readonly run: (argv: readonly string[]) => Promise<Ran>;
  /** Whether every NSS source gave an answer, if getent(1) found nothing under this name. */
  readonly sourcesTell: (database: 'passwd' | 'group', name: string) => Promise<boolean>;
  /** Addresses of this machine's network interfaces. */
  readonly addresses: () => readonly string[];
  /** The configuration file as it is on disk. */
  readonly config: () => Promise<ConfigFile>;
  /** Requested only once. */
  readonly status: () => Promise<Answer<StatusView>>;
  readonly daemon: Pick<ControlClient, 'status' | 'realms' | 'users' | 'user' | 'explain' | 'audit'>;
  /** Whether a process accepts connections on a Unix socket. */
  readonly connects: (path: string) => Promise<'accepts' | 'silent' | 'absent' | 'forbidden'>;
  /** The directories of the PAM stacks. */
  readonly pam: PamFiles;
  /** The trial change to a stack; undefined: none, or not visible to this user. */
  readonly trial: () => TrialView | undefined;
  readonly wait: (milliseconds: number) => Promise<void>;
}

export function finding(
  id: FindingId,
  summary: string,
  fix: string,
  more: { readonly accounts?: readonly string[] } = {},
): Finding {
  const { severity, impact } = catalogue[id];
  return { id, severity, summary, impact, fix, ...more };
}

/** For facts that this user cannot read, or that are unavailable now. */
export function notChecked(summary: string, fix = 'run it as root: sudo sallyport doctor'): Finding {
  return finding('not-checked', summary, fix);
}

/** Adds `good` only if nothing is wrong and everything was checked; notes do not prevent it. */
export function orGood(findings: readonly Finding[], good: string): readonly Finding[] {
  const seenAndGood = findings.every((one) => one.severity === 'note' && one.id !== 'not-checked');
  return seenAndGood ? [...findings, { severity: 'ok', summary: good }] : findings;
}

/** The paths that the configuration names, or the likely ones if it is invalid or unreadable. */
export async function pathsOf(machine: Machine) {
  const read = await machine.config();
  return read.kind === 'good' ? read.config.paths : read.paths;
}

/** A finding as `realm check`, `reload` and `explain` print it. */
export function findingText(one: Finding): string {
  return one.severity === 'ok' ? one.summary : `${one.summary}\nImpact: ${one.impact}\nFix: ${one.fix}`;
}
