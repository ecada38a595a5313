import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Finished, run, until } from './commands.ts';

/**
 * A machine whose process 1 is a real systemd, in namespaces and a group of processes of its own. The directory that
 * holds its Debian is only read; what it writes goes to a layer that is thrown away with it. Whatever is started in
 * it ends with it.
 */
export class Booted {
  readonly directory: string;
  readonly #group: string;
  readonly #launcher: ChildProcess;
  /** Process 1 as this machine numbers it. */
  #init = 0;

  private constructor(directory: string, group: string, launcher: ChildProcess) {
    this.directory = directory;
    this.#group = group;
    this.#launcher = launcher;
  }

  /**
   * @param prepare puts files into the layer before the machine starts
   * @param binds directories of this machine that are shown there, read-only
   */
  static async boot(
    root: string,
    prepare: (layer: string) => void,
    binds: Readonly<Record<string, string>> = {},
  ): Promise<Booted> {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-booted-'));
    for (const name of ['layer', 'work', 'machine', 'layer/etc', 'layer/dev'])
      mkdirSync(join(directory, name));
    prepare(join(directory, 'layer'));
    // systemd fills an empty one in; without one it would ask its questions for the first start.
    writeFileSync(join(directory, 'layer/etc/machine-id'), '');
    writeFileSync(join(directory, 'layer/etc/hostname'), 'booted\n');
    const group = makeGroup();
    const log = openSync(join(directory, 'boot.log'), 'a');
    const shown = Object.entries(binds).map(([there, here]) => `${here}\t${there}\n`);
    writeFileSync(join(directory, 'binds'), shown.join(''));
    // setpriv: unshare must not outlive this process.
    const launcher = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', 'bash', '-c', launch, 'bash', directory, root, group, start],
      { stdio: ['ignore', log, log] },
    );
    closeSync(log);
    const booted = new Booted(directory, group, launcher);
    try {
      booted.#init = await processOne(launcher);
      await until('the machine is up', () => booted.#isUp(), 120_000);
    } catch (error) {
      const said = readFileSync(join(directory, 'boot.log'), 'utf8');
      await booted.end();
      throw new Error(`the machine does not start; it said: ${said}`, { cause: error });
    }
    return booted;
  }

  async #isUp(): Promise<boolean> {
    return /^(running|degraded)$/m.test((await this.run(['systemctl', 'is-system-running'])).stdout);
  }

  /** Runs a command in the machine, as its root. */
  run(argv: readonly string[], options: { input?: string; timeout?: number } = {}): Promise<Finished> {
    return run('nsenter', this.enter(argv), { timeout: 120_000, ...options });
  }

  /** For whoever starts the command itself: what nsenter(1) is given. */
  enter(argv: readonly string[]): string[] {
    const spaces = ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--root', '--wd'];
    const environment = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root', 'LANG=C.UTF-8'];
    return [`--target=${this.#init}`, ...spaces, '--', ...environment, ...argv];
  }

  /** A command that has to succeed; gives what it wrote to stdout. */
  async must(argv: readonly string[], input = ''): Promise<string> {
    const done = await this.run(argv, { input });
    if (done.status !== 0)
      throw new Error(`${argv.join(' ')}: status ${done.status}\n${done.stdout}${done.stderr}`);
    return done.stdout;
  }

  /** A property of a unit. */
  async show(unit: string, property: string): Promise<string> {
    return (await this.must(['systemctl', 'show', unit, '--value', `--property=${property}`])).trim();
  }

  /** What a unit has written to the journal. */
  async journal(unit: string): Promise<string> {
    return this.must(['journalctl', '--no-pager', '--output=cat', `--unit=${unit}`]);
  }

  /** What systemd itself has said. */
  log(): Promise<string> {
    return this.must(['journalctl', '--no-pager', '--output=cat', '_PID=1']);
  }

  /** Writes a file in the machine while it runs. */
  async write(path: string, text: string, mode = '644'): Promise<void> {
    const script = 'umask 077 && mkdir -p -m 755 "$3" && cat > "$1" && chmod "$2" "$1"';
    await this.must(['bash', '-c', script, 'bash', path, mode, dirname(path)], text);
  }

  /** The processes of a unit, as this machine numbers them: for signals and tracers from outside. */
  processesOf(unit: string): number[] {
    const file = join(this.#group, 'system.slice', unit, 'cgroup.procs');
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').filter(Boolean).map(Number) : [];
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.#launcher.once('exit', resolve));
    const isOver = this.#launcher.exitCode !== null || this.#launcher.signalCode !== null;
    this.#launcher.kill('SIGKILL');
    if (!isOver) await ended;
    await until('nothing runs in its group', () => removeGroup(this.#group), 60_000);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The launcher becomes unshare, and unshare's child becomes process 1. */
const launch = `
set -e
directory=$1 root=$2 group=$3 start=$4
echo $$ > "$group/cgroup.procs"
exec unshare --mount --propagation private --pid --fork --kill-child --uts --ipc --net --cgroup \\
  bash -c "$start" bash "$directory" "$root"
`;

const start = `
set -e
directory=$1 root=$2 machine=$1/machine
mount -t overlay overlay -o "lowerdir=$root,upperdir=$directory/layer,workdir=$directory/work" "$machine"
mount -t proc -o nosuid,nodev,noexec proc "$machine/proc"
mount -t sysfs -o ro sysfs "$machine/sys"
mount -t cgroup2 cgroup2 "$machine/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$machine/run"
mount -t tmpfs -o mode=1777 tmpfs "$machine/tmp"
mount -t tmpfs -o mode=755 tmpfs "$machine/dev"
for node in null zero full random urandom tty; do cp -a "/dev/$node" "$machine/dev/$node"; done
mkdir "$machine/dev/pts" "$machine/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$machine/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$machine/dev/shm"
ln -s pts/ptmx "$machine/dev/ptmx"
ln -s /proc/self/fd "$machine/dev/fd"
for link in stdin:0 stdout:1 stderr:2; do ln -s "fd/\${link#*:}" "$machine/dev/\${link%:*}"; done
while IFS="$(printf '\\t')" read -r here there; do
  mkdir -p "$machine$there"
  mount --bind "$here" "$machine$there"
  mount -o remount,bind,ro "$machine$there"
done < "$directory/binds"
ip link set lo up
hostname booted
mkdir -p "$machine/oldroot"
cd "$machine"
pivot_root . oldroot
cd /
umount -l /oldroot
# systemd hands credentials over in mounts that it makes elsewhere.
mount --make-rshared /
exec env -i container=sallyport-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/lib/systemd/systemd --system \\
  --unit=multi-user.target --log-target=journal --show-status=no
`;

/** Where this machine shows control groups of version 2, which systemd needs one of. */
function groupsOf(): string {
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const fields = line.split(' ');
    if (fields[fields.indexOf('-') + 1] === 'cgroup2') return fields[4] ?? '';
  }
  throw new Error('no cgroup2 is mounted here: a systemd cannot be started');
}

function makeGroup(): string {
  const group = join(groupsOf(), `sallyport-test-${randomUUID()}`);
  mkdirSync(group);
  return group;
}

/** @returns whether it is gone; a group with processes in it stays */
function removeGroup(group: string): boolean {
  if (!existsSync(group)) return true;
  const inside = readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const left = inside.filter((entry) => !removeGroup(join(group, entry.name)));
  if (left.length > 0) return false;
  try {
    rmdirSync(group);
    return true;
  } catch {
    return false;
  }
}

/** The child of unshare, which is process 1 in there. */
async function processOne(launcher: ChildProcess): Promise<number> {
  const pid = launcher.pid ?? 0;
  const found = (): number => {
    const file = `/proc/${pid}/task/${pid}/children`;
    const [child] = existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ').filter(Boolean) : [];
    if (child === undefined) return 0;
    return readFileSync(`/proc/${child}/cmdline`, 'utf8').startsWith('/usr/lib/systemd/systemd')
      ? Number(child)
      : 0;
  };
  await until(
    'systemd is process 1',
    () => {
      if (launcher.exitCode !== null) throw new Error('the machine ended');
      return found() > 0;
    },
    60_000,
  );
  return found();
}
