import { type Check, type Finding, finding, type Machine, notChecked, orGood, pathsOf } from './contract.ts';
import { daemonUid, octal } from './owners.ts';

/** The three sockets: present, with the required owners and modes, and with sallyportd as the listener. */
export const socketsCheck: Check = {
  id: 'sockets',
  what: 'sallyportd listens on all sockets, and only the intended users can connect',
  async run(machine) {
    const status = await machine.status();
    if (!status.ok && status.code === 'daemon-unreachable')
      return [notChecked('the sockets, because sallyportd does not answer', 'see the daemon')];
    const { pamSocket, pamUserSocket, controlSocket } = await pathsOf(machine);
    const owner = await daemonUid(machine);
    const sockets = [
      { path: pamSocket, forOnlyRoot: true },
      { path: pamUserSocket, forOnlyRoot: false },
      { path: controlSocket, forOnlyRoot: false },
    ];
    const evaluated = await Promise.all(sockets.map((socket) => evaluate(machine, socket, owner)));
    const strangers = await listeners(machine, [pamSocket, pamUserSocket, controlSocket]);
    return orGood([...evaluated.flat(), ...strangers], 'sallyportd accepts connections on all three');
  },
};

interface Socket {
  readonly path: string;
  readonly forOnlyRoot: boolean;
}

async function evaluate(
  machine: Machine,
  { path, forOnlyRoot }: Socket,
  owner: number | undefined,
): Promise<readonly Finding[]> {
  const restart = 'systemctl restart sallyportd';
  const entry = await machine.files.look(path);
  if (entry.kind === 'unseen') return [notChecked(`${path} (${entry.why})`)];
  if (entry.kind === 'absent') return [finding('socket.missing', `there is no ${path}`, restart)];
  const findings: Finding[] = [];
  if (owner !== undefined && entry.uid !== 0 && entry.uid !== owner)
    findings.push(
      finding(
        'socket.owner',
        `${path} belongs to uid ${entry.uid}`,
        `find out which program created it, then: ${restart}`,
      ),
    );
  if (forOnlyRoot && (entry.mode & 0o066) !== 0)
    findings.push(finding('socket.open', `${path} has mode ${octal(entry.mode)}`, `chmod 0600 ${path}`));
  if (!forOnlyRoot && (entry.mode & 0o002) === 0)
    findings.push(finding('socket.closed', `${path} has mode ${octal(entry.mode)}`, `chmod 0666 ${path}`));
  const answer = await machine.connects(path);
  if (answer === 'forbidden') findings.push(notChecked(`whether a process accepts connections on ${path}`));
  if (answer === 'silent' || answer === 'absent')
    findings.push(finding('socket.silent', `no process accepts connections on ${path}`, restart));
  return findings;
}

/** Under socket activation the service manager (pid 1) listens beside sallyportd. */
async function listeners(machine: Machine, paths: readonly string[]): Promise<readonly Finding[]> {
  const status = await machine.status();
  if (machine.uid !== 0 || !status.ok) return [notChecked('which process listens on the sockets')];
  const { stdout, status: ended } = await machine.run(['ss', '--no-header', '-xlp']);
  if (ended !== 0)
    return [notChecked('which process listens: ss (iproute2) printed nothing', 'apt install iproute2')];
  return stdout.split('\n').flatMap((line) => {
    const path = paths.find((one) => line.split(/\s+/).includes(one));
    const pids = [...line.matchAll(/\bpid=(\d+)/g)].map(([, pid]) => Number(pid));
    const strange = pids.filter((pid) => pid !== 1 && pid !== status.value.pid);
    if (path === undefined || strange.length === 0) return [];
    return [
      finding(
        'socket.foreign-process',
        `process ${strange.join(', ')} listens on ${path} and is not sallyportd (pid ${status.value.pid})`,
        `identify it (ps -fp ${strange[0]}), end it, then: systemctl restart sallyportd`,
      ),
    ];
  });
}
