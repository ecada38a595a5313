import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { after } from 'node:test';
import { must, until } from './commands.ts';
import { work } from './machine.ts';
import { as, type Person, password } from './people.ts';
import { Terminal } from './terminal.ts';

/** Sessions as logind makes them: a scope in the tree of control groups, and a file that says what it is. */

const tree = `${work}/cgroup`;
/** Unlike any other: the tree is the machine's own, and each namespace of processes counts its pids from 1. */
const slice = `${tree}/sallyport-test-${randomUUID()}.slice`;
const sessions = '/run/systemd/sessions';

export function prepareSessions(): void {
  mkdirSync(tree);
  must('mount', ['-t', 'cgroup2', 'none', tree]);
  mkdirSync(slice);
  mkdirSync(sessions, { recursive: true });
}

/** @param local somebody sits at the machine; false: it came over the network */
export function openSession(id: string, local: boolean): void {
  mkdirSync(`${slice}/session-${id}.scope`);
  const seat = local ? 'SEAT=seat0\n' : '';
  writeFileSync(`${sessions}/${id}`, `CLASS=user\nACTIVE=1\nREMOTE=${local ? 0 : 1}\n${seat}`);
}

/** The same program in that session. */
export function inSession(id: string, argv: readonly string[]): string[] {
  return ['sh', '-c', `echo $$ >"$0"; exec "$@"`, `${slice}/session-${id}.scope/cgroup.procs`, ...argv];
}

/** Groups can go once the last process has left them. */
export async function removeSessions(): Promise<void> {
  if (!existsSync(slice)) return;
  await until('the sessions are empty', () => {
    try {
      for (const entry of readdirSync(slice, { withFileTypes: true }))
        if (entry.isDirectory()) rmdirSync(`${slice}/${entry.name}`);
      rmdirSync(slice);
      return true;
    } catch {
      return false;
    }
  });
}

/** From here on somebody can sit in a session that came over the network. */
export function openSessionFromAfar(): void {
  prepareSessions();
  openSession('afar', false);
  after(() => removeSessions());
}

/** sudo in that session, up to what comes after the password. */
export async function sudoFromAfar(person: Person): Promise<Terminal> {
  const command = ['sudo', '-k', 'sh', '-c', 'echo "in-$(id -un)"'];
  const terminal = new Terminal(inSession('afar', [...as(person), ...command]));
  await terminal.answer(new RegExp(`password for ${person.name}: `), password);
  return terminal;
}
