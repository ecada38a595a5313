import { appendFileSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { must } from './commands.ts';

/** Accounts, written straight into the private passwd and shadow: useradd takes a tenth of a second for each. */
export interface Person {
  readonly name: string;
  readonly uid: number;
  readonly home: string;
}

/** Everybody's. It looks like no code and no recovery key. */
export const password = 'correct-horse';
/** Few rounds: what is measured and waited for is not the hash. */
let hash: string | undefined;
let nextUid = 3000;

function passwordHash(): string {
  hash ??= must('perl', ['-e', `print crypt($ARGV[0], '$6$rounds=1000$sallyport$')`, password]).trim();
  return hash;
}

/** @param uid the next free one from 3000 on, unless it is said */
export function addPerson(name: string, uid = nextUid++): Person {
  const home = `/home/${name.replaceAll(/[^a-z0-9]/g, '-')}`;
  appendFileSync('/etc/passwd', `${name}:x:${uid}:${uid}::${home}:/bin/bash\n`);
  appendFileSync('/etc/group', `${name}:x:${uid}:\n`);
  appendFileSync('/etc/shadow', `${name}:${passwordHash()}:19000:0:99999:7:::\n`);
  mkdirSync(home);
  chownSync(home, uid, uid);
  return { name, uid, home };
}

export function addGroup(name: string, gid: number, members: readonly string[]): void {
  appendFileSync('/etc/group', `${name}:x:${gid}:${members.join(',')}\n`);
}

/** Gives root the common password too, and a home of its own. */
export function setUpRoot(): void {
  mkdirSync('/home/root', { mode: 0o700 });
  rewrite('/etc/passwd', /^root:(.*):\/root:/m, 'root:$1:/home/root:');
  rewrite('/etc/shadow', /^root:[^:]*:/m, `root:${passwordHash().replaceAll('$', '$$$$')}:`);
}

function rewrite(file: string, from: RegExp, to: string): void {
  const text = readFileSync(file, 'utf8');
  if (!from.test(text)) throw new Error(`${file} has no ${from}`);
  writeFileSync(file, text.replace(from, to));
}

/** Everybody may become root, with the password: what is tested is the way to it. */
export function allowSudo(): void {
  appendFileSync('/etc/sudoers', '\nALL ALL=(ALL) ALL\nDefaults lecture=never\n');
}

/** The start of a command line that runs as this person, on the terminal of the caller. */
export function as(person: Person): string[] {
  return [
    'setpriv',
    `--reuid=${person.uid}`,
    `--regid=${person.uid}`,
    '--clear-groups',
    'env',
    `HOME=${person.home}`,
  ];
}
