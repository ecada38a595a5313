import { printable } from '../lib/text.ts';
import type { Machine } from './contract.ts';

/** Accounts and groups, asked of NSS by getent(1), as the C library finds them. */
export type Asked<T> = { readonly kind: 'found'; readonly value: T } | { readonly kind: 'gone' | 'unknown' };

export interface PasswdLine {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly shell: string;
}

export interface GroupLine {
  readonly name: string;
  readonly gid: number;
  /** Those whose primary group it is are not among them. */
  readonly members: readonly string[];
  /** getent(1) prints nothing of a group one of whose names holds a line break or a colon. */
  readonly unlisted?: true;
}

/** getent(1): 2 is "not found", which it also says where a source of NSS does not answer; all else is an error. */
async function ask(machine: Machine, database: 'passwd' | 'group', name: string): Promise<Asked<string>> {
  // A name that begins with "-" is none of an option.
  const { status, stdout } = await machine.run(['getent', '--', database, name]);
  // One record, whatever a directory has put into its fields: a break in a name does not end it.
  if (status === 0) return { kind: 'found', value: stdout.replace(/\n$/, '') };
  return { kind: status === 2 && (await machine.sourcesTell(database, name)) ? 'gone' : 'unknown' };
}

export async function groupNamed(machine: Machine, name: string): Promise<Asked<GroupLine>> {
  const asked = await ask(machine, 'group', name);
  if (asked.kind !== 'found') return asked;
  if (asked.value === '') return { kind: 'found', value: { name, gid: -1, members: [], unlisted: true } };
  const [found = '', , gid, members = ''] = asked.value.split(':');
  const list = members.split(',').filter((member) => member !== '');
  return { kind: 'found', value: { name: found, gid: Number(gid), members: list } };
}

export async function accountNamed(machine: Machine, name: string): Promise<Asked<PasswdLine>> {
  const asked = await ask(machine, 'passwd', name);
  const parsed = asked.kind === 'found' ? passwdLine(asked.value) : undefined;
  return asked.kind === 'found'
    ? parsed === undefined
      ? { kind: 'unknown' }
      : { kind: 'found', value: parsed }
    : asked;
}

export function passwdLine(line: string): PasswdLine | undefined {
  const [name = '', , uid, gid, , , shell = ''] = line.split(':');
  return name === '' || uid === undefined ? undefined : { name, uid: Number(uid), gid: Number(gid), shell };
}

/** Those of /etc/passwd; a directory may know many more, and is not walked. */
export async function localAccounts(machine: Machine): Promise<readonly PasswdLine[]> {
  const read = await machine.files.read('/etc/passwd');
  return read.kind === 'text' ? read.text.split('\n').flatMap((line) => passwdLine(line) ?? []) : [];
}

/** Names of the groups of /etc/group, as candidates for what was meant. */
export async function localGroups(machine: Machine): Promise<readonly string[]> {
  const read = await machine.files.read('/etc/group');
  return read.kind === 'text' ? read.text.split('\n').flatMap((line) => /^[^:]+/.exec(line)?.[0] ?? []) : [];
}

/** The first uid of people on Debian (login.defs, UID_MIN). */
const firstPerson = 1_000;

/**
 * Local accounts that permit logins: those with a shell, except service accounts (postgres) without a password.
 * If passwords cannot be read, accounts count as having one.
 */
export async function localPeople(machine: Machine): Promise<readonly PasswdLine[]> {
  const shadow = await machine.files.read('/etc/shadow');
  const lines = shadow.kind === 'text' ? shadow.text.split('\n') : [];
  const locked = new Set(lines.flatMap((line) => /^([^:]+):[!*]/.exec(line)?.[1] ?? []));
  const isService = ({ name, uid }: PasswdLine) => uid !== 0 && uid < firstPerson && locked.has(name);
  return (await localAccounts(machine)).filter((one) => logsIn(one) && !isService(one));
}

/** An empty shell is /bin/sh. */
export function logsIn({ shell }: PasswdLine): boolean {
  return !/(?:nologin|\/false|\/sync|\/halt|\/shutdown)$/.test(shell);
}

/** LOGIN_NAME_MAX on Linux, in bytes: longer names are no account's. */
const longestName = 256;
/** Characters of a name in a finding. */
const shownAtMost = 64;

/**
 * Whether an account may have this name. The names in a directory are other people's words: they may hold control
 * characters, or kilobytes, and sallyportd is asked about none of these.
 */
export function mayBeAccount(name: string): boolean {
  return name !== '' && Buffer.byteLength(name) <= longestName && !/\p{Cc}/u.test(name);
}

/** A name in a finding: it breaks no line, so that it cannot pass for another finding, and is cut. */
export function shownName(name: string): string {
  const text = printable(name);
  return text.length <= shownAtMost ? text : `${text.slice(0, shownAtMost)}…`;
}

/** A name in a command that is typed as it stands: one word of a shell, and no option. */
export function nameInCommand(name: string): string {
  const word = /^[\w.@+-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`;
  return name.startsWith('-') ? `-- ${word}` : word;
}
