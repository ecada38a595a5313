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

/** What was found out about one account while its store was made anew. */
interface Noted {
  readonly account: string;
  readonly note: string;
  readonly factor?: { readonly kind: string; readonly name: string };
}

/** A line of what a sallyportd tells that works on a store. */
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
 * Runs a sallyportd that has the store to itself, and shows what it tells: on standard output a line for each
 * account that it has something to say of.
 *
 * @param input what it reads on its standard input
 * @throws CliError refused: it said no
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
  // What is wrong with the backup is told before what came of it.
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
  throw new CliError('refused', refusal ?? 'sallyportd ended without a word; nothing is known to be changed');
}

const words: Readonly<Record<string, string>> = {
  'recovery-void': 'opens nothing any more: what was spent of it is not known. Make new recovery keys',
  'bypass-void': 'is void: it may have been used since. Give another where it is needed',
  'recovery-replaced': 'these recovery keys were replaced since; the newer ones stay',
  'two-in-a-row': 'asks once for two codes in a row, or two touches',
  'back-disabled': 'was removed or disabled since; it is back, and disabled',
  'added-since': 'was added since; it stays',
  'uid-newer-stays':
    'was made for another uid in the backup: another person. The record of the store stays, as after a restore',
  'uid-differs':
    'was made for another uid in the store: another person. The record of the backup is back; its account is refused while the uid is not that one',
  'record-lost':
    'cannot be read: the account is refused; "sallyport store repair --reset-account USER" lets it begin anew',
  'given-up': 'begins anew, without a factor',
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

/** When codes of apps are accepted again after a restore or a repair; nothing where none is held. */
export function warnOfHeld({ output, world }: Context, { heldUntil }: Worked['done']): void {
  if (typeof heldUntil !== 'number') return;
  const minutes = pluralise(Math.max(1, Math.ceil((heldUntil - world.now()) / 60_000)), 'minute');
  output.warn(
    `codes of apps are accepted again from ${isoLocal(heldUntil)} on (in ${minutes}): those of now may have been used before. Until then a recovery key or a security key lets in, or "sallyport factor add bypass USER"`,
  );
}
