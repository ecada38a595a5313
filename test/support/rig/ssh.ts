import { spawn } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { must, run, until } from './commands.ts';
import { repository } from './layout.ts';
import { work } from './machine.ts';
import type { Person } from './people.ts';

const hostKey = `${work}/host-key`;
const clientKey = `${work}/client-key`;
const log = `${work}/sshd.log`;

export function makeSshKeys(): void {
  for (const path of [hostKey, clientKey]) must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path]);
}

/** Lets the client's key in as this person. */
export function authorizeKey(person: Person): void {
  authorizeKeys(person, [readFileSync(`${clientKey}.pub`, 'utf8')]);
}

/** @param lines of authorized_keys, in place of those before */
export function authorizeKeys(person: Person, lines: readonly string[]): void {
  const directory = `${person.home}/.ssh`;
  mkdirSync(directory, { mode: 0o700, recursive: true });
  writeFileSync(`${directory}/authorized_keys`, `${lines.join('\n')}\n`);
  for (const path of [directory, `${directory}/authorized_keys`]) chownSync(path, person.uid, person.uid);
}

/**
 * A real sshd with a drop-in as it is shipped.
 * @param dropIn a file of pam-config/sshd_config.d, or any by its whole path; read first as Debian's sshd_config does
 */
export async function startSshd(port: number, dropIn: string, extra: readonly string[] = []): Promise<void> {
  const file = `${work}/sshd-${port}.conf`;
  const lines = [
    `Include ${resolve(repository, 'pam-config/sshd_config.d', dropIn)}`,
    ...[`Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${hostKey}`, `PidFile ${work}/sshd-${port}.pid`],
    ...['Subsystem sftp internal-sftp', 'MaxStartups 200', 'UseDNS no', 'PrintMotd no', ...extra],
  ];
  // Before OpenSSH 9.8 the keyword is unknown.
  const penalties = await run('/usr/sbin/sshd', [
    '-t',
    '-f',
    '/dev/null',
    '-h',
    hostKey,
    '-o',
    'PerSourcePenalties=no',
  ]);
  if (penalties.status === 0) lines.push('PerSourcePenalties no');
  writeFileSync(file, `${lines.join('\n')}\n`);
  const sshd = spawn('/usr/sbin/sshd', ['-D', '-f', file, '-E', log], { stdio: 'ignore' });
  sshd.unref();
  await listening(port);
}

async function listening(port: number): Promise<void> {
  await until(`sshd on port ${port}`, async () => {
    const answer = await run('bash', ['-c', `exec 3<>/dev/tcp/127.0.0.1/${port} && head -c 4 <&3`]);
    return answer.stdout === 'SSH-';
  });
}

/** sshd with the configuration of the distribution, and what a test needs behind it. */
export async function startDistributedSshd(port: number): Promise<void> {
  const extra = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${hostKey}`,
    'MaxStartups 200',
    'UseDNS no',
  ];
  writeFileSync('/etc/ssh/sshd_config.d/zz-test.conf', `${extra.join('\n')}\n`);
  const sshd = spawn('/usr/sbin/sshd', ['-D', '-E', log], { stdio: 'ignore' });
  sshd.unref();
  await listening(port);
}

interface SshOptions {
  readonly port: number;
  /** The client's key, or the file of another one. */
  readonly key?: boolean | string;
  /** An address of 127.0.0.0/8 to come from. */
  readonly from?: string;
  readonly options?: readonly string[];
  readonly program?: 'ssh' | 'sftp';
}

/** The command line of a client. */
export function ssh(user: string, options: SshOptions, command: readonly string[] = []): string[] {
  const { port, key = false, from, options: more = [], program = 'ssh' } = options;
  return [
    ...[program, '-F', 'none', '-o', `Port=${port}`, '-o', 'StrictHostKeyChecking=no', '-o', 'LogLevel=INFO'],
    ...['-o', 'UserKnownHostsFile=/dev/null', '-o', 'IdentitiesOnly=yes', '-o', 'IdentityAgent=none'],
    ...(key === false ? ['-o', 'PubkeyAuthentication=no'] : ['-i', key === true ? clientKey : key]),
    ...(from === undefined ? [] : ['-o', `BindAddress=${from}`]),
    ...more.flatMap((option) => ['-o', option]),
    ...['-o', `User=${user}`, '127.0.0.1', ...command],
  ];
}
