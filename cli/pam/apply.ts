import { CliError } from '../lib/errors.ts';
import { begin, type Change, end, type FileChange, noteWritten, writeFiles } from './record.ts';
import { revertNow, type Watch, watch } from './rollback-timer.ts';
import { disagreements, dropInDirectory, includeHint, sshdFault, sshdSettings } from './sshd.ts';

/**
 * Applies the change.
 *
 * Invariants:
 * - Rollback timers run before the first file is written: if this process ends in between, they roll back its files.
 * - The drop-in of sshd comes first, and sshd itself validates it; after an error everything is rolled back.
 *   A running sshd does not read it before it is reloaded.
 * @param users whose resolved sshd settings must match the drop-in
 */
export function apply(change: Change, files: readonly FileChange[], users: readonly string[]): Watch {
  begin(change, files);
  try {
    const watching = watch(change.id, change.trial !== undefined);
    const dropIns = files.filter(({ path }) => path.startsWith(dropInDirectory));
    writeFiles(dropIns);
    for (const { after } of dropIns) if (after !== undefined) checkDropIn(after, users);
    writeFiles(files.filter((file) => !dropIns.includes(file)));
    noteWritten();
    if (change.trial === undefined) end(change.id);
    return watching;
  } catch (error) {
    if (!revertNow(change.id))
      throw new CliError('refused', `${messageOf(error)}\nrollback incomplete; run: sallyport pam show`);
    throw error;
  }
}

function checkDropIn(text: string, users: readonly string[]): void {
  const fault = sshdFault();
  if (fault !== undefined) throw new CliError('refused', `nothing was changed: ${fault}`);
  const found = new Set([
    ...disagreements(text, sshdSettings()),
    ...users.flatMap((user) => disagreements(text, sshdSettings(user)).map((one) => `for ${user} ${one}`)),
  ]);
  if (found.size > 0)
    throw new CliError(
      'refused',
      [
        'nothing was changed: with these settings of sshd its logins would bypass PAM',
        ...found,
        includeHint,
      ].join('\n'),
    );
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
