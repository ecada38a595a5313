import { isoLocal } from '../lib/time.ts';
import { type Check, type Finding, finding, type Machine, notChecked, orGood } from './contract.ts';

/** Tolerated difference of two clocks that are read one after the other, in milliseconds. */
const tolerance = 10_000;

/** Whether the clock is right: time-based codes depend on it. */
export const clockCheck: Check = {
  id: 'clock',
  what: 'the clock is synchronised, and not behind stored times',
  async run(machine) {
    const findings = [
      ...(await synchronised(machine)),
      ...(await behind(machine)),
      ...(await skews(machine)),
    ];
    return orGood(findings, 'synchronised');
  },
};

/** timedatectl reports the kernel's state, whichever service sets the clock; without systemd, chrony is queried. */
async function synchronised(machine: Machine): Promise<readonly Finding[]> {
  const asked = await machine.run(['timedatectl', 'show', '--property=NTPSynchronized', '--value']);
  const said = asked.status === 0 ? asked.stdout.trim() : '';
  if (said === 'yes') return [];
  if (said === 'no') return [unsynchronised('no time service synchronises the clock')];
  if ((await machine.files.look('/run/systemd/timesync/synchronized')).kind === 'file') return [];
  const chrony = await machine.run(['chronyc', '-c', 'tracking']);
  // The last field is the leap-second state, which also shows whether there is a time source.
  const leap = chrony.status === 0 ? chrony.stdout.trim().split(',').at(-1) : undefined;
  if (leap === 'Normal' || leap?.endsWith('second') === true) return [];
  if (leap !== undefined) return [unsynchronised(`chrony reports: ${leap}`)];
  return [
    notChecked(
      'whether the clock is synchronised: neither timedatectl nor chronyc reports it',
      'verify manually',
    ),
  ];
}

function unsynchronised(what: string): Finding {
  return finding('clock.unsynchronised', what, 'timedatectl set-ntp true, or: apt install systemd-timesyncd');
}

/** Stored timestamps cannot lie in the future. */
async function behind(machine: Machine): Promise<readonly Finding[]> {
  const now = machine.now();
  const behindIt = (what: string, at: number) =>
    finding(
      'clock.behind',
      `the clock shows ${isoLocal(now)}, but ${what} is from ${isoLocal(at)}`,
      'set the clock: timedatectl set-ntp true, or: date -s',
    );
  const built = await machine.built();
  if (built !== undefined && built > now + tolerance) return [behindIt('this program', built)];
  const status = await machine.status();
  // Another check reports a missing daemon; it does not affect what the clock itself shows.
  if (!status.ok) return [];
  const newest = (await machine.daemon.audit({ limit: 1 })).events[0];
  return newest !== undefined && newest.at > now + tolerance
    ? [behindIt('the newest event of the audit trail', newest.at)]
    : [];
}

async function skews(machine: Machine): Promise<readonly Finding[]> {
  const read = await machine.config();
  const strict = read.kind === 'good' ? read.config.realms.filter(({ totp }) => totp.skew === 0) : [];
  return strict.map(({ name, line }) =>
    finding(
      'clock.no-skew',
      `the realm "${name}" (line ${line}) has totp.skew = 0`,
      'skew = 1 also accepts the previous and the next code',
    ),
  );
}
