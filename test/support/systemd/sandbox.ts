import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { projectRoot } from '../project.ts';
import type { Installed } from '../rig/installed.ts';

const unit = join(projectRoot, 'pam-config/systemd/sallyportd.service');
const services = ['sallyportd', 'sallyport-portal', 'sallyport-fido@x', 'sallyport-password@x'];

/** One line for each thing that is tried: what, and the name of the error or "done". */
const probe = String.raw`
use Errno; use Socket;
sub said { my ($what, $done) = @_; my ($name) = grep { $!{$_} } qw(EROFS EACCES EPERM ENOENT EAFNOSUPPORT);
  print "$what: ", ($done ? 'done' : $name // "$!"), "\n"; }
for my $path ('/etc/probe', '/usr/probe', '/run/sallyport/probe', '/proc/sys/kernel/hostname', '/var/lib/probe',
    '/var/lib/sallyport/probe') {
  $! = 0; my $done = open(my $file, '>>', $path); said("write $path", $done); }
for my $path ('/home', '/root', '/proc/1') { $! = 0; my $done = opendir(my $directory, $path); said("list $path", $done); }
for my $path ('/etc/passwd', '/etc/shadow', '/run/systemd/sessions/probe', '/proc/sys/kernel/random/boot_id') {
  $! = 0; my $done = open(my $file, '<', $path); said("read $path", $done); }
for my $pair ([unix => 1], [inet => 2], [inet6 => 10], [netlink => 16], [packet => 17], [bluetooth => 31], [vsock => 40]) {
  $! = 0; my $done = socket(my $socket, $pair->[1], $pair->[1] == 16 || $pair->[1] == 17 ? SOCK_RAW : SOCK_STREAM, 0);
  said("socket $pair->[0]", $done); }
system('cp /bin/true /var/lib/sallyport/program; chmod 755 /var/lib/sallyport/program');
$! = 0; my $ran = system { '/var/lib/sallyport/program' } 'program'; said('run a program from the store', $ran == 0);
unlink '/var/lib/sallyport/program', '/var/lib/sallyport/probe';
$! = 0; said('unshare', syscall(272, 0x10000000) == 0);
$! = 0; said('become root', POSIX::setuid(0)) if eval { require POSIX };
print 'name service: ', ((getpwnam('dynamic'))[0] // 'none'), "\n";
`;

/** What the unit allows sallyportd, seen from its own process. */
export function sandboxTests(rig: () => Installed): void {
  describe('the sandbox', () => {
    let seen: ReadonlyMap<string, string>;

    before(async () => {
      const { machine } = rig();
      // An account that only a service knows, which is asked over a socket.
      await machine.must([
        ...['systemd-run', '--unit=dynamic', '--property=DynamicUser=yes', '--property=User=dynamic'],
        ...['sleep', 'infinity'],
      ]);
      await machine.write('/run/systemd/sessions/probe', 'ACTIVE=1\n');
      await machine.write('/usr/local/libexec/probe', probe);
      const kept = readFileSync(unit, 'utf8')
        .split('\n')
        .filter(
          (line) =>
            !/^(ExecStart|ExecReload|Type|Requires|After|Sockets|Restart|RestartSec|Watchdog|NotifyAccess)/.test(
              line,
            ),
        );
      const text = kept
        .join('\n')
        .replace('[Service]', '[Service]\nType=oneshot\nExecStart=/usr/bin/perl /usr/local/libexec/probe');
      await machine.write('/run/systemd/system/probe.service', text);
      await machine.must(['systemctl', 'daemon-reload']);
      await machine.must(['systemctl', 'start', 'probe.service']);
      const lines = (await machine.journal('probe.service')).split('\n');
      seen = new Map(lines.map((line) => line.split(': ')).map(([what = '', how = '']) => [what, how]));
    });

    const finds = (expected: Readonly<Record<string, string>>) => {
      const found = Object.fromEntries(Object.keys(expected).map((what) => [what, seen.get(what)]));
      assert.deepEqual(found, expected);
    };

    it('allows writes only to its own directory', () =>
      finds({
        'write /etc/probe': 'EROFS',
        'write /usr/probe': 'EROFS',
        'write /var/lib/probe': 'EROFS',
        'write /run/sallyport/probe': 'EACCES',
        'write /proc/sys/kernel/hostname': 'EACCES',
        'write /var/lib/sallyport/probe': 'done',
      }));

    it('hides homes, other processes and passwords from it', () =>
      finds({
        'list /home': 'EACCES',
        'list /root': 'EACCES',
        'list /proc/1': 'ENOENT',
        'read /etc/shadow': 'EACCES',
        'read /etc/passwd': 'done',
      }));

    it('allows Unix sockets and the Internet, and no other family', () =>
      finds({
        'socket unix': 'done',
        'socket inet': 'done',
        'socket inet6': 'done',
        'socket netlink': 'EAFNOSUPPORT',
        'socket packet': 'EAFNOSUPPORT',
        'socket bluetooth': 'EAFNOSUPPORT',
        'socket vsock': 'EAFNOSUPPORT',
      }));

    it('lets it run nothing that it wrote, and take no other identity', () =>
      finds({ 'run a program from the store': 'EACCES', unshare: 'EPERM', 'become root': 'EPERM' }));

    it('allows reading what it decides by: sessions, the boot id, and accounts of a service', async () => {
      finds({
        'read /run/systemd/sessions/probe': 'done',
        'read /proc/sys/kernel/random/boot_id': 'done',
        'name service': 'dynamic',
      });
      const explained = await rig().sallyport('explain', 'dynamic', '--service', 'sshd');
      assert.match(explained.stdout + explained.stderr, /realm.*all/s);
    });

    it('is in force for the serving process', () => {
      const status = readFileSync(`/proc/${rig().pidOutside()}/status`, 'utf8');
      for (const line of [
        /^CapEff:\s0+$/m,
        /^CapBnd:\s0+$/m,
        /^CapAmb:\s0+$/m,
        /^NoNewPrivs:\s1$/m,
        /^Seccomp:\s2$/m,
      ])
        assert.match(status, line);
      assert.doesNotMatch(status, /^Uid:\s0\s/m);
      const limits = readFileSync(`/proc/${rig().pidOutside()}/limits`, 'utf8');
      assert.match(limits, /^Max core file size +0 +0 /m);
      const [, files = ''] = /^LimitNOFILE=(\d+)$/m.exec(readFileSync(unit, 'utf8')) ?? [];
      assert.ok(Number(files) > 0, 'the unit says how many files');
      assert.match(limits, new RegExp(`^Max open files +${files} +${files} `, 'm'));
    });

    it('is valid for this systemd, which finds little exposed', async () => {
      const sockets = ['sallyport-pam', 'sallyport-pam-user', 'sallyport-control'].map(
        (name) => `${name}.socket`,
      );
      const verified = await rig().machine.run([
        'systemd-analyze',
        'verify',
        'sallyportd.service',
        ...sockets,
      ]);
      assert.deepEqual([verified.status, verified.stdout, verified.stderr], [0, '', '']);
      for (const service of services) {
        const argv = [
          '--no-pager',
          '--threshold=20',
          '--offline=yes',
          `/usr/lib/systemd/system/${service.replace('x', '')}.service`,
        ];
        const found = await rig().machine.run(['systemd-analyze', 'security', ...argv]);
        assert.equal(found.status, 0, `${service}\n${found.stdout}${found.stderr}`);
      }
    });

    it('works without a network if the drop-in says so', async () => {
      await rig().dropIn('no-network', shippedDropIn('no-network'));
      await rig().machine.must(['systemctl', 'restart', 'sallyportd.service']);
      assert.deepEqual(await rig().logins(['alice']), [0]);
      const routes = readFileSync(`/proc/${rig().pidOutside()}/net/dev`, 'utf8');
      assert.doesNotMatch(routes, /eth|ens/);
      await rig().withoutDropIn('no-network');
      await rig().machine.must(['systemctl', 'restart', 'sallyportd.service']);
    });
  });
}

export function shippedDropIn(name: string): string {
  return readFileSync(join(projectRoot, 'pam-config/drop-ins', `${name}.conf`), 'utf8');
}
