import { actionFor } from '../pam/control.ts';
import type { Stack } from '../pam/read.ts';
import { type Check, type Finding, finding, type Machine, notSeen, orGood } from './contract.ts';
import { guarded, oursIn } from './guarded.ts';
import { localAccounts, logsIn } from './names.ts';

/** Whether root gets in at the console while sallyportd is away (docs/recovery.md). */
export const rootWayCheck: Check = {
  id: 'way in for root',
  what: 'root gets in at the console with the password, also while sallyportd is away',
  async run(machine) {
    const found = guarded(machine);
    if (found.kind === 'unseen') return [notSeen(`the stack of login (${found.why})`)];
    if (found.services.length === 0)
      return [{ severity: 'ok', what: 'nothing is guarded: root logs in as ever' }];
    const findings = [...stack(found.services), ...(await password(machine)), ...(await shell(machine))];
    return orGood(findings, 'root gets in at the console');
  },
};

/**
 * The line that lets the answer "no daemon" pass stands for uid 0 alone in the stack that is shipped; what lets it pass
 * for everybody is found by the check of the stacks.
 */
function stack(services: readonly Stack[]): readonly Finding[] {
  const login = services.find(({ service }) => service === 'login');
  if (login === undefined) return [];
  const lenient = oursIn(login).some(({ control }) => {
    const action = actionFor(control, 'authinfo_unavail');
    return action !== 'bad' && action !== 'die';
  });
  if (lenient) return [];
  return [
    finding(
      'root.no-way-in',
      `the stack of login (${login.file ?? 'other'}) refuses root too while sallyportd is away`,
      `put the line "ROOT'S WAY IN" of pam-config/pam.d/sallyport-login back, unless that is meant`,
    ),
  ];
}

async function password(machine: Machine): Promise<readonly Finding[]> {
  const read = await machine.files.read('/etc/shadow');
  if (read.kind === 'unseen') return [notSeen('whether root has a password (/etc/shadow)')];
  const line =
    read.kind === 'text' ? read.text.split('\n').find((one) => one.startsWith('root:')) : undefined;
  if (line === undefined)
    return [notSeen('whether root has a password: /etc/shadow has no line of root', 'getent shadow root')];
  // The hash itself is nobody's business, not even a message's.
  const usable = /^root:(?:\$|[A-Za-z0-9./]{13}:|_)/.test(line);
  return usable
    ? []
    : [finding('root.no-password', 'the password of root is locked, or there is none', 'passwd root')];
}

async function shell(machine: Machine): Promise<readonly Finding[]> {
  const root = (await localAccounts(machine)).find(({ uid }) => uid === 0);
  if (root === undefined || logsIn(root)) return [];
  return [finding('root.no-shell', `root's shell is ${root.shell}`, `chsh -s /bin/bash ${root.name}`)];
}
