import type { PamFiles } from './files.ts';
import type { Finding, ModuleLine, Phase } from './lines.ts';
import { moduleName, roleOf } from './modules.ts';
import { readStack, type Stack, type StackEntry } from './read.ts';
import { outcomes } from './simulate-stack.ts';

/*
 * Logins that libpam refuses, whoever comes: an include that is gone, a line that it does not understand, a module that
 * is not installed. What MUST hold: of a stack that lets somebody in nothing is said but which lines are broken.
 */

/** The phases that every login goes through. */
const phases: readonly Phase[] = ['auth', 'account', 'session'];

/** What is broken in the service, each line once. */
export function refusals(files: PamFiles, service: string): readonly Finding[] {
  const file = files.read(service);
  if (file === undefined && files.names().includes(service))
    return [
      {
        code: 'service-refused',
        level: 'error',
        message: `the file of ${service} is a link that leads nowhere: libpam takes "other" for it`,
      },
    ];
  return phases.flatMap((phase) => brokenLines(readStack(files, service, phase), files));
}

/** What is broken in one phase. */
export function brokenLines(stack: Stack, files?: PamFiles): readonly Finding[] {
  if (stack.fatal !== undefined)
    return [refused(stack.fatal.line, `${stack.fatal.why}: libpam refuses every login`)];
  const suspects = stack.entries.flatMap((entry) => suspect(entry, files) ?? []);
  const [first] = suspects;
  const empty = (stack.directories ?? []).map(emptyLine);
  if (first === undefined) return empty;
  if (!letsIn(stack, files))
    return [...empty, refused(first.line, `${first.why}: libpam refuses every login (${stack.phase})`)];
  const broken = suspects.filter(({ line }) => line.kind !== 'module');
  return [
    ...empty,
    ...broken.map(
      ({ line, why }): Finding => ({
        code: 'line-broken',
        level: 'error',
        place: { file: line.file, line: line.line },
        message: `${why}: who comes by here is refused`,
      }),
    ),
  ];
}

interface Suspect {
  readonly line: StackEntry['line'];
  readonly why: string;
}

function suspect(entry: StackEntry, files: PamFiles | undefined): Suspect | undefined {
  if (entry.kind === 'broken') return { line: entry.line, why: entry.why };
  if (entry.kind !== 'module' || !isMissing(entry.line, files)) return undefined;
  return { line: entry.line, why: `there is no ${entry.line.module}` };
}

/** Our own module is looked for where it is named, with the socket that it asks. */
function isMissing(line: ModuleLine, files: PamFiles | undefined): boolean {
  return roleOf(line) !== 'ours' && files?.hasModule?.(line.module) === false;
}

/** Whether anybody but root, whom pam_rootok knows, gets through: every first factor right, every condition either way. */
function letsIn({ entries }: Stack, files: PamFiles | undefined): boolean {
  const answers = (line: ModuleLine): readonly string[] => {
    if (isMissing(line, files)) return ['module_unknown'];
    if (moduleName(line) === 'rootok') return ['auth_err'];
    switch (roleOf(line)) {
      case 'ours':
        return ['success', 'ignore'];
      case 'deny':
        return ['auth_err'];
      case 'other':
        return ['success', 'auth_err'];
      default:
        return ['success'];
    }
  };
  return outcomes(entries, answers).some(({ status }) => status === 'success');
}

function refused({ file, line }: StackEntry['line'], message: string): Finding {
  return { code: 'service-refused', level: 'error', place: { file, line }, message };
}

function emptyLine({ file, line, text }: StackEntry['line']): Finding {
  return {
    code: 'line-empty',
    level: 'error',
    place: { file, line },
    message: `"${text}" names a directory, which libpam reads as a file with nothing in it: what it was to bring does not count`,
  };
}
