import { CliError } from '../lib/errors.ts';
import { begin, type Change, end, type FileChange, noteWritten, writeFiles } from './record.ts';
import { revertNow, type Watch, watch } from './rollback-timer.ts';
import { disagreements, dropInDirectory, includeHint, sshdFault, sshdSettings } from './sshd.ts';

/**
 * Makes the change.
 *
 * What MUST hold:
 * - Watchers run before the first file is written: should this process end in between, they put back what it wrote.
 * - The drop-in of sshd comes first and is judged by sshd itself; whatever it has against it, all is put back.
 *   A running sshd does not read it before it is told to.
 * @param users whose logins through sshd must come out as the drop-in says
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
    if (!revertNow())
      throw new CliError(
        'refused',
        `${messageOf(error)}\nand not everything could be put back; see: sallyport pam show`,
      );
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
        'nothing was changed: the logins of ssh would not come by PAM as they must',
        ...found,
        includeHint,
      ].join('\n'),
    );
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
