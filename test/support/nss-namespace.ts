import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileC } from './native.ts';

/** In the namespace: what test/native/nss_slow.c reads its behaviour from. */
export const modeFile = '/run/nss-slow-mode';

export interface Finished {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface NssNamespace {
  /**
   * Runs a command where /etc/nsswitch.conf names these sources for accounts and groups, the source `slow` is
   * installed, and /etc has the accounts and groups of `passwd` and `group` (lines as in the files) besides its own.
   */
  run(sources: string, command: readonly string[]): Promise<Finished>;
  /** Removes what was built for it. */
  remove(): void;
}

export interface NssNamespaceOptions {
  readonly passwd?: readonly string[];
  readonly group?: readonly string[];
}

/**
 * /etc is an overlay and /run, /home, /var/log and ldconfig's cache are new, all in a mount namespace of its
 * own: nothing that runs there reaches the files of the machine. bash stays process 1 and reaps.
 */
const setUp = `
set -eu
upper=$1 sources=$2 library=$3 passwd=$4 group=$5; shift 5
mount -t tmpfs tmpfs "$upper"
mkdir "$upper/etc" "$upper/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$upper/etc,workdir=$upper/work" /etc
for directory in /run /home /var/log /var/cache/ldconfig; do
  [ ! -d "$directory" ] || mount -t tmpfs tmpfs "$directory"
done
sed -i '/^\\(passwd\\|group\\|initgroups\\):/d' /etc/nsswitch.conf
printf 'passwd: %s\\ngroup: %s\\n' "$sources" "$sources" >>/etc/nsswitch.conf
echo "$library" >/etc/ld.so.conf.d/00-sallyport-test.conf
ldconfig -X
[ -z "$passwd" ] || printf '%s\\n' "$passwd" >>/etc/passwd
[ -z "$group" ] || printf '%s\\n' "$group" >>/etc/group
status=0
"$@" || status=$?
exit "$status"
`;

const namespaces = ['-m', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'];

export function createNssNamespace(options: NssNamespaceOptions = {}): NssNamespace {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-nss-'));
  const library = join(directory, 'lib');
  const upper = join(directory, 'upper');
  mkdirSync(library);
  mkdirSync(upper);
  compileC('nss_slow.c', join(library, 'libnss_slow.so.2'), [
    '-shared',
    '-fPIC',
    `-DMODE_FILE="${modeFile}"`,
    '-Wl,-soname,libnss_slow.so.2',
  ]);
  const lines = [options.passwd, options.group].map((list) => (list ?? []).join('\n'));
  return {
    run: (sources, command) =>
      finish([
        'unshare',
        ...namespaces,
        'bash',
        '-c',
        setUp,
        'bash',
        upper,
        sources,
        library,
        ...lines,
        ...command,
      ]),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

function finish(command: readonly string[]): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const [program = '', ...rest] = command;
    const child = spawn(program, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (status, signal) => resolve({ status, signal, stdout, stderr }));
  });
}
