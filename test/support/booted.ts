import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Finished, run, until } from './rig/commands.ts';

/** Runs as the first process of its namespaces: lays a throw-away layer over the root, and becomes its systemd. */
const becomeMachine = `
set -e
root=$1 shared=$2
work=$(mktemp -d)
mount -t tmpfs -o mode=755 tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/machine"
m=$work/machine
mount -t overlay overlay -o "lowerdir=$root,upperdir=$work/upper,workdir=$work/work" "$m"
mount -t proc proc "$m/proc"
mount -t sysfs -o ro sysfs "$m/sys"
mount -t cgroup2 cgroup2 "$m/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$m/dev"
for node in null zero full random urandom tty; do cp -a "/dev/$node" "$m/dev/"; done
mkdir "$m/dev/pts" "$m/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$m/dev/pts"
ln -s pts/ptmx "$m/dev/ptmx"
ln -s /proc/self/fd "$m/dev/fd"
mount -t tmpfs -o mode=1777 tmpfs "$m/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$m/run"
mount -t tmpfs -o mode=1777 tmpfs "$m/tmp"
mkdir -p "$m/shared" "$m/before"
mount --bind "$shared" "$m/shared"
: > "$m/etc/machine-id"
cd "$m"
pivot_root . before
cd /
umount -l /before
# systemd gives credentials to its services over shared mounts.
mount --make-rshared /
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/lib/systemd/systemd --system \
  --unit=multi-user.target --log-target=null --show-status=no
`;

/** Where processes can be put into groups as systemd does; beside the older ones on some machines. */
function groups(): string {
  const line = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .find((mount) => mount.split(' ')[2] === 'cgroup2');
  const folder = line?.split(' ')[1];
  if (folder === undefined) throw new Error('no cgroup2 is mounted: no systemd can be booted here');
  return folder;
}

/**
 * A Debian root, booted with its own systemd in namespaces of its own. Nothing of what is done in it stays, and
 * the root is not written to.
 */
export class Booted {
  readonly #group: string;
  readonly #process: ChildProcess;
  readonly #pid: number;

  private constructor(group: string, child: ChildProcess, pid: number) {
    this.#group = group;
    this.#process = child;
    this.#pid = pid;
  }

  /** @param shared a folder of the test's that the machine sees as /shared */
  static async boot(root: string, shared: string): Promise<Booted> {
    const group = mkdtempSync(join(groups(), 'sallyport-test-'));
    const namespaces = ['--mount', '--pid', '--uts', '--ipc', '--net', '--cgroup'];
    const child = spawn(
      'setpriv',
      [
        ...[
          '--pdeathsig',
          'KILL',
          'bash',
          '-c',
          'echo $$ > "$1/cgroup.procs"; shift; exec "$@"',
          'bash',
          group,
        ],
        ...['unshare', ...namespaces, '--propagation', 'private', '--fork', '--kill-child'],
        ...['bash', '-c', becomeMachine, 'bash', root, shared],
      ],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    );
    let pid: number | undefined;
    await until('the machine has a first process', () => {
      const { pid: outer } = child;
      const found = readFileSync(`/proc/${outer}/task/${outer}/children`, 'utf8').trim();
      pid = found === '' ? undefined : Number(found);
      return pid !== undefined && /systemd/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
    });
    const machine = new Booted(group, child, pid ?? 0);
    await until(
      'the machine is up',
      async () => /^(running|degraded)/.test((await machine.sh('systemctl is-system-running')).stdout),
      60_000,
    );
    return machine;
  }

  /** Runs a script as root in the machine. */
  sh(
    script: string,
    options: { readonly input?: string; readonly timeout?: number } = {},
  ): Promise<Finished> {
    const inside = ['--mount', '--pid', '--uts', '--ipc', '--net', '--cgroup'];
    const environment = ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root', 'LANG=C.UTF-8', 'TERM=dumb'];
    return run(
      'nsenter',
      [
        ...['--target', `${this.#pid}`, ...inside, '--wdns=/root', '--'],
        ...['env', '-i', ...environment, 'DEBIAN_FRONTEND=noninteractive', 'bash', '-c', script],
      ],
      { timeout: 120_000, ...options },
    );
  }

  /** As `sh`, and throws with all that was said when it fails. */
  async must(script: string, options: { readonly input?: string } = {}): Promise<string> {
    const { status, stdout, stderr } = await this.sh(script, options);
    if (status !== 0) throw new Error(`${script}: status ${status}\n${stdout}${stderr}`);
    return stdout;
  }

  async off(): Promise<void> {
    const gone = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGKILL');
    await gone;
    await until('nothing of the machine is left', () => removeGroup(this.#group), 30_000);
  }
}

/** @returns whether it is gone */
function removeGroup(group: string): boolean {
  if (!existsSync(group)) return true;
  for (const entry of readdirSync(group, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroup(join(group, entry.name));
  try {
    rmdirSync(group);
    return true;
  } catch {
    // Somebody in it is still ending.
    return false;
  }
}
