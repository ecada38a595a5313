import type { PamFiles } from './files.ts';
import type { Finding, ModuleLine, Phase } from './lines.ts';
import { moduleName, roleOf } from './modules.ts';
import { readStack, type Stack, type StackEntry } from './read.ts';
import { outcomes } from './simulate-stack.ts';

/*
 * Logins that libpam refuses for every account: a missing include, a line that it cannot parse, a module that is not
 * installed. Invariant: for a stack that admits any account only the broken lines are reported.
 */

/** The phases of every login. */
const phases: readonly Phase[] = ['auth', 'account', 'session'];

/** Broken lines of the service, each once. */
export function refusals(files: PamFiles, service: string): readonly Finding[] {
  const file = files.read(service);
  if (file === undefined && files.names().includes(service))
    return [
      {
        code: 'service-refused',
        level: 'error',
        message: `the file of ${service} is a broken link, so libpam uses "other"`,
      },
    ];
  return phases.flatMap((phase) => brokenLines(readStack(files, service, phase), files));
}

/** Broken lines of one phase. */
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
        message: `${why}: logins that run this line are refused`,
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
  return { line: entry.line, why: `${entry.line.module} is not installed` };
}

/** Our module is checked together with its socket. */
function isMissing(line: ModuleLine, files: PamFiles | undefined): boolean {
  return roleOf(line) !== 'ours' && files?.hasModule?.(line.module) === false;
}

/** Whether any account except root (pam_rootok) passes, with correct first factors and either result of conditions. */
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
    message: `"${text}" names a directory, which libpam reads as an empty file: the lines meant are missing`,
  };
}
