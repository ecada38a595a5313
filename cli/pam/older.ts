import { isForRoot } from './conditions.ts';
import type { PamFiles } from './files.ts';
import { parseLines } from './lines.ts';
import { filesOf } from './read.ts';
import type { FileChange } from './record.ts';

/** An installed ready stack; files of pam-auth-update and of administrators are not changed here. */
const ready = /^\/etc\/pam\.d\/sallyport-[\w-]+$/;

/**
 * Threat: in earlier releases root's console fallback applied to every program that included the stack, so a local user
 * at a serial line could use it through su. @returns the ready stacks of the service with that line bound to login(1)
 */
export function olderStacks(files: PamFiles, service: string): readonly FileChange[] {
  return filesOf(files, service).flatMap((path) => {
    const before = ready.test(path) ? files.read(path)?.text : undefined;
    if (before === undefined) return [];
    const after = boundToLogin(before, path);
    return after === before ? [] : [{ path, before, after }];
  });
}

/** @param text of a stack. Terminals and other local changes stay. */
export function boundToLogin(text: string, path: string): string {
  const rows = text.split('\n');
  for (const line of parseLines(text, path)) {
    if (line.kind !== 'module' || !isForRoot(line) || line.options.includes('service')) continue;
    const row = rows[line.line - 1] ?? '';
    rows[line.line - 1] = row.replace(/\b(?=(?:uid|user)\s+(?:=|eq)\s)/, 'service = login ');
  }
  return rows.join('\n');
}
