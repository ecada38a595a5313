import { printable } from '../lib/text.ts';
import type { Machine } from './contract.ts';

/** Accounts and groups as the C library finds them, queried from NSS with getent(1). */
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
  /** Accounts with this primary group are not included. */
  readonly members: readonly string[];
  /** getent(1) prints no members of a group if the name of one contains a line break or a colon. */
  readonly unlisted?: true;
}

/** getent(1) exits with 2 for "not found", also if an NSS source does not answer; any other status is an error. */
async function ask(machine: Machine, database: 'passwd' | 'group', name: string): Promise<Asked<string>> {
  // Prevents a name that begins with "-" from being read as an option.
  const { status, stdout } = await machine.run(['getent', '--', database, name]);
  // One record, whatever a directory contains: a line break in a name does not end it.
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

/** Accounts of /etc/passwd; a directory may contain many more, and is not enumerated. */
export async function localAccounts(machine: Machine): Promise<readonly PasswdLine[]> {
  const read = await machine.files.read('/etc/passwd');
  return read.kind === 'text' ? read.text.split('\n').flatMap((line) => passwdLine(line) ?? []) : [];
}

/** Names of the groups of /etc/group, as suggestions for a misspelt name. */
export async function localGroups(machine: Machine): Promise<readonly string[]> {
  const read = await machine.files.read('/etc/group');
  return read.kind === 'text' ? read.text.split('\n').flatMap((line) => /^[^:]+/.exec(line)?.[0] ?? []) : [];
}

/** The first uid of regular users on Debian (login.defs, UID_MIN). */
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

/** LOGIN_NAME_MAX on Linux, in bytes: no account has a longer name. */
const longestName = 256;
/** Maximum length of a name in a finding. */
const shownAtMost = 64;

/**
 * Whether an account may have this name. Names in a directory are untrusted: they may contain control characters or
 * be kilobytes long, and sallyportd is not asked about such names.
 */
export function mayBeAccount(name: string): boolean {
  return name !== '' && Buffer.byteLength(name) <= longestName && !/\p{Cc}/u.test(name);
}

/** A name in a finding: shortened, and without line breaks, so that it cannot imitate another finding. */
export function shownName(name: string): string {
  const text = printable(name);
  return text.length <= shownAtMost ? text : `${text.slice(0, shownAtMost)}…`;
}

/** A name in a command that is typed as shown: one word of a shell, and no option. */
export function nameInCommand(name: string): string {
  const word = /^[\w.@+-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`;
  return name.startsWith('-') ? `-- ${word}` : word;
}
