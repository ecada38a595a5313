import type { StatusView } from '../../daemon/api/views.ts';
import type { ControlClient } from '../../daemon/client/client.ts';
import type { ConfigFile } from '../../daemon/client/config.ts';
import type { PamFiles } from '../pam/files.ts';
import type { TrialView } from '../pam/trial.ts';
import { catalogue, type FindingId, type Severity } from './catalogue.ts';
import type { Files, Ran } from './files.ts';

/** One thing that a check says. */
export type Finding =
  | { readonly severity: 'ok'; readonly summary: string }
  | {
      readonly severity: Exclude<Severity, 'ok'>;
      readonly id: FindingId;
      /** What is wrong, and where. */
      readonly summary: string;
      /** What it causes. */
      readonly impact: string;
      /** The command that corrects it, or what to do. */
      readonly fix: string;
      /** All accounts that it is about, where `what` names some of them. */
      readonly accounts?: readonly string[];
    };

/** One file per check. A check changes nothing, and reports success only for what it examined. */
export interface Check {
  /** Short and stable: the heading of its findings. */
  readonly id: string;
  readonly what: string;
  /** Milliseconds; what takes longer is given up. */
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
  /** Who looks. */
  readonly uid: number;
  readonly user: string;
  readonly configFile: string;
  /** Below `init --root`: everything belongs to the user who ran it. */
  readonly rooted: boolean;
  /** Of this command. */
  readonly version: string;
  /** When this build was made; milliseconds since the epoch. */
  readonly built: () => Promise<number | undefined>;
  readonly files: Files;
  /** Runs a program that only reads, without a shell. Never throws. */
  readonly run: (argv: readonly string[]) => Promise<Ran>;
  /** Whether each source of NSS could tell, where getent(1) found nothing under this name. */
  readonly sourcesTell: (database: 'passwd' | 'group', name: string) => Promise<boolean>;
  /** Addresses of this machine's network interfaces. */
  readonly addresses: () => readonly string[];
  /** The configuration file as it stands. */
  readonly config: () => Promise<ConfigFile>;
  /** Asked once. */
  readonly status: () => Promise<Answer<StatusView>>;
  readonly daemon: Pick<ControlClient, 'status' | 'realms' | 'users' | 'user' | 'explain' | 'audit'>;
  /** Whether a process accepts connections on a Unix socket. */
  readonly connects: (path: string) => Promise<'accepts' | 'silent' | 'absent' | 'forbidden'>;
  /** The directories of the PAM stacks. */
  readonly pam: PamFiles;
  /** The change to a stack that is under way; undefined: none, or none that may be seen. */
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

/** `good` is said only where nothing is wrong and everything was seen; notes stand beside it. */
export function orGood(findings: readonly Finding[], good: string): readonly Finding[] {
  const seenAndGood = findings.every((one) => one.severity === 'note' && one.id !== 'not-checked');
  return seenAndGood ? [...findings, { severity: 'ok', summary: good }] : findings;
}

/** The places that the configuration names, or most likely would. */
export async function pathsOf(machine: Machine) {
  const read = await machine.config();
  return read.kind === 'good' ? read.config.paths : read.paths;
}

/** A finding as `realm check`, `reload` and `explain` print it. */
export function findingText(one: Finding): string {
  return one.severity === 'ok' ? one.summary : `${one.summary}\nImpact: ${one.impact}\nFix: ${one.fix}`;
}
