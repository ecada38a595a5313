import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pluralise } from '../../daemon/lib/units.ts';
import type { Context } from './context.ts';
import { disableIoUring } from './environment.ts';
import { CliError } from './errors.ts';
import { noTimes } from './json-times.ts';
import { createProgress } from './progress.ts';
import { isoLocal } from './time.ts';

/** A note about one account from a restore or a repair. */
interface Noted {
  readonly account: string;
  readonly note: string;
  readonly factor?: { readonly kind: string; readonly name: string };
}

/** One line of output of a sallyportd that works on a store. */
type WorkerReport =
  | { readonly progress: number }
  | { readonly problem: string }
  | { readonly noted: Noted }
  | { readonly error: { readonly message: string } }
  | { readonly done: Readonly<Record<string, unknown>> };

export interface Worked {
  readonly done: Readonly<Record<string, unknown>>;
  readonly problems: readonly string[];
}

/**
 * Runs a sallyportd that has exclusive access to the store, and prints its notes to standard output, one line for each.
 *
 * @param input its standard input
 * @throws CliError refused
 */
export async function workOnStore(
  context: Context,
  words: readonly string[],
  json: boolean,
  input?: AsyncIterable<Uint8Array>,
): Promise<Worked> {
  const { world, output } = context;
  const line = [world.daemonMain, ...words, '--config', context.configFile()];
  const child = spawn(process.execPath, line, { stdio: ['pipe', 'pipe', 'inherit'], env: disableIoUring() });
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('close', () => resolve());
  });
  child.stdin.on('error', () => undefined);
  // An error of the input is reported rather than its consequences.
  let fault: unknown;
  const fed =
    input === undefined
      ? Promise.resolve(void child.stdin.end())
      : pipeline(Readable.from(input), child.stdin).catch((error: unknown) => {
          fault = error;
        });
  const progress = createProgress(world);
  const problems: string[] = [];
  let done: Worked['done'] | undefined;
  let refusal: string | undefined;
  for await (const text of createInterface({ input: child.stdout, terminal: false })) {
    const reported = JSON.parse(text) as WorkerReport;
    if ('progress' in reported) progress.show(`${reported.progress} …`);
    else progress.clear();
    if ('problem' in reported) {
      problems.push(reported.problem);
      if (!json) output.warn(reported.problem);
    }
    if ('noted' in reported) note(context, reported.noted, json);
    if ('error' in reported) refusal = reported.error.message;
    if ('done' in reported) done = reported.done;
  }
  progress.clear();
  child.stdin.destroy();
  await ended;
  await fed;
  if (fault instanceof CliError) throw fault;
  if (done !== undefined) return { done, problems };
  throw new CliError(
    'refused',
    refusal ?? 'sallyportd exited without a result; changes may or may not have been made',
  );
}

const words: Readonly<Record<string, string>> = {
  'recovery-void': 'is void: which keys were used is unknown; create new recovery keys',
  'bypass-void': 'is void: it may have been used since; issue a new one if needed',
  'recovery-replaced': 'was replaced since; the newer recovery keys stay valid',
  'two-in-a-row': 'must resynchronise: asks once for two consecutive codes, or two touches',
  'back-disabled': 'was removed or disabled since; restored as disabled',
  'added-since': 'was added since; kept',
  'uid-newer-stays': 'has another uid in the backup: another person; the record of the store is kept',
  'uid-differs':
    'has another uid in the store: another person; the record of the backup is restored, and the account is refused while its uid differs',
  'record-lost':
    'cannot be read: the account is refused; to reset it: sallyport store repair --reset-account USER',
  'given-up': 'is reset, without a factor',
  'record-from-store': 'cannot be read in the backup; the one in the store stays',
};

function note({ output }: Context, noted: Noted, json: boolean): void {
  const { account, note: code, factor } = noted;
  if (json) output.jsonLine({ noted }, noTimes);
  else if (output.terminal)
    output.prose(
      `${account}: ${factor === undefined ? '' : `${factor.kind} "${factor.name}" `}${words[code] ?? code}`,
    );
  else output.table([], [[account, code, factor?.kind ?? '', factor?.name ?? '']]);
}

/** Warns how long app codes stay refused after a restore or a repair, if they do. */
export function warnOfHeld({ output, world }: Context, { heldUntil }: Worked['done']): void {
  if (typeof heldUntil !== 'number') return;
  const minutes = pluralise(Math.max(1, Math.ceil((heldUntil - world.now()) / 60_000)), 'minute');
  output.warn(
    `codes of apps are refused until ${isoLocal(heldUntil)} (in ${minutes}), because current ones may already be used. Until then log in with a recovery key or a security key, or run: sallyport factor add bypass USER`,
  );
}
