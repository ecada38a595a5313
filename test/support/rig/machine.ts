import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { must, until } from './commands.ts';
import { cliMain, repository } from './layout.ts';

/**
 * Makes the namespace look like a machine of its own: /etc is an overlay, /run, /home, /root, /var/log
 * and /dev are new. Nothing that a test writes there reaches the machine it runs on.
 */
export const work = '/run/rig';
const syslogFile = `${work}/syslog`;

export async function prepareMachine(): Promise<void> {
  mountTmpfs('/run');
  mkdirSync(work);
  mkdirSync('/run/sshd');
  overlayEtc();
  mountTmpfs('/home');
  mountTmpfs('/var/log');
  // Failed logins are written there by login(1) and sshd.
  for (const file of ['/run/utmp', '/var/log/wtmp', '/var/log/btmp', '/var/log/lastlog', '/var/log/faillog'])
    writeFileSync(file, '', { mode: 0o600 });
  privateDevices();
  must('ip', ['link', 'set', 'lo', 'up']);
  showProgram();
  await startSyslog();
}

/** A clone may lie where nobody but root may look, such as below /root: people run the CLI by this path. */
export const cliForPeople = join(work, 'program', relative(repository, cliMain));

function showProgram(): void {
  mkdirSync(`${work}/program`);
  must('mount', ['--bind', repository, `${work}/program`]);
}

function mountTmpfs(path: string): void {
  must('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', path]);
}

function overlayEtc(): void {
  for (const name of ['etc-upper', 'etc-work']) mkdirSync(`${work}/${name}`);
  const layers = `lowerdir=/etc,upperdir=${work}/etc-upper,workdir=${work}/etc-work`;
  must('mount', ['-t', 'overlay', 'overlay', '-o', layers, '/etc']);
}

function privateDevices(): void {
  const dev = `${work}/dev`;
  mkdirSync(dev);
  mountTmpfs(dev);
  for (const node of ['null', 'zero', 'full', 'random', 'urandom', 'tty'])
    must('cp', ['-a', `/dev/${node}`, `${dev}/${node}`]);
  for (const name of ['pts', 'shm']) mkdirSync(`${dev}/${name}`);
  must('mount', ['-t', 'tmpfs', '-o', 'mode=1777', 'tmpfs', `${dev}/shm`]);
  must('mount', ['-t', 'devpts', '-o', 'newinstance,ptmxmode=666,mode=620,gid=5', 'devpts', `${dev}/pts`]);
  symlinkSync('pts/ptmx', `${dev}/ptmx`);
  symlinkSync('/proc/self/fd', `${dev}/fd`);
  symlinkSync('fd/0', `${dev}/stdin`);
  symlinkSync('fd/1', `${dev}/stdout`);
  symlinkSync('fd/2', `${dev}/stderr`);
  must('mount', ['--rbind', dev, '/dev']);
}

/** Node has no datagram Unix sockets; Perl is part of every Debian system. */
const syslogReader = `
use Socket; use IO::Handle;
socket(my $s, PF_UNIX, SOCK_DGRAM, 0) or die; bind($s, sockaddr_un("/dev/log")) or die; chmod 0666, "/dev/log";
open(my $f, ">>", $ARGV[0]) or die; $f->autoflush(1);
while (defined recv($s, my $line, 65536, 0)) { $line =~ s/[\\0\\n]+$//; print $f "$line\\n"; }
`;

async function startSyslog(): Promise<void> {
  writeFileSync(syslogFile, '');
  const reader = spawn('perl', ['-e', syslogReader, syslogFile], { stdio: 'ignore' });
  reader.unref();
  await until('a reader on /dev/log', () => existsSync('/dev/log'));
}

/** What the programs have logged so far. */
export function syslog(): string {
  return readFileSync(syslogFile, 'utf8');
}

/** Marks a place in the log, so that a failure shows only what belongs to it. */
export function markSyslog(text: string): void {
  appendFileSync(syslogFile, `--- ${text}\n`);
}

/** login(1) waits 3 s after a wrong answer, which no test here is about. */
export function withoutFailDelay(): void {
  const login = readFileSync('/etc/pam.d/login', 'utf8');
  writeFileSync('/etc/pam.d/login', login.replace('delay=3000000', 'delay=0'));
}
