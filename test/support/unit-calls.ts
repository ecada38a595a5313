import { execFileSync } from 'node:child_process';

/** A group of systemd's, or a call, as the names of calls. */
function expanded(name: string): readonly string[] {
  if (!name.startsWith('@')) return [name];
  const listed = execFileSync('systemd-analyze', ['syscall-filter', name, '--no-pager'], {
    encoding: 'utf8',
  });
  const names = [...listed.matchAll(/^ {4}([@\w-]+)$/gm)].map(([, each = '']) => each);
  return names.flatMap((each) => expanded(each));
}

/** The system calls that the text of a unit leaves to its program. */
export function allowedCalls(unit: string): ReadonlySet<string> {
  const calls = new Set<string>();
  for (const [, line = ''] of unit.matchAll(/^SystemCallFilter=(.*)$/gm)) {
    const takesAway = line.startsWith('~');
    for (const name of line.replace(/^~/, '').split(' ').flatMap(expanded)) {
      if (takesAway) calls.delete(name);
      else calls.add(name);
    }
  }
  return calls;
}
