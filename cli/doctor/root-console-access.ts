import { checkStack } from '../pam/check.ts';
import type { Finding as StackFinding } from '../pam/lines.ts';
import { placeOf, type Stack } from '../pam/read.ts';
import { type Check, type Finding, finding, type Machine, notChecked, orGood } from './contract.ts';
import { localAccounts, logsIn } from './names.ts';
import { guarded, programs } from './protected-services.ts';

/** Whether root can log in at the console while sallyportd is unavailable (docs/how-to/recover-access.md). */
export const rootWayCheck: Check = {
  id: 'root console fallback',
  what: 'while sallyportd is unavailable, root can log in with the password at the console, and only there',
  async run(machine) {
    const found = guarded(machine);
    if (found.kind === 'unseen') return [notChecked(`the stack of login (${found.why})`)];
    if (found.services.length === 0)
      return [
        { severity: 'ok', summary: 'no service is protected: sallyportd does not affect logins of root' },
      ];
    const findings = [
      ...around(found.services),
      ...stack(found.services),
      ...(await password(machine)),
      ...(await shell(machine)),
    ];
    return orGood(findings, 'root can log in at the console');
  },
};

/** A line for the console that also applies in other programs: one finding per line, with the services. */
function around(services: readonly Stack[]): readonly Finding[] {
  const byPlace = new Map<string, { readonly fault: StackFinding; readonly services: string[] }>();
  for (const stack of programs(services))
    for (const fault of checkStack(stack)) {
      if (fault.code !== 'way-around' || fault.place === undefined) continue;
      const known = byPlace.get(placeOf(fault.place)) ?? { fault, services: [] };
      known.services.push(stack.service);
      byPlace.set(placeOf(fault.place), known);
    }
  return [...byPlace].map(([place, { fault, services: names }]) =>
    finding('root.way-around', `${names.join(', ')} (${place}): ${fault.message}`, fix(place, names)),
  );
}

function fix(place: string, [first = '']: readonly string[]): string {
  if (/\/common-auth:/.test(place)) return 'pam-auth-update --package';
  if (/\/sallyport-[^/]*:/.test(place)) return `sallyport pam enable ${first}`;
  return 'add "service = login" to the line of pam_succeed_if that jumps there, as in pam-config/pam.d/sallyport-login';
}

/**
 * In the shipped stack, the line that lets the answer "no daemon" pass applies to uid 0 at the console; a line that
 * lets more pass is reported above, or by the check of the stacks.
 */
function stack(services: readonly Stack[]): readonly Finding[] {
  const login = services.find(({ service }) => service === 'login');
  if (login === undefined) return [];
  const codes = checkStack(login).map(({ code }) => code);
  if (codes.some((code) => lenient.has(code))) return [];
  return [
    finding(
      'root.no-console-fallback',
      `the stack of login (${login.file ?? 'other'}) refuses root too while sallyportd is unavailable`,
      `restore the line "ROOT'S CONSOLE FALLBACK" of pam-config/pam.d/sallyport-login, unless this is intended`,
    ),
  ];
}

const lenient: ReadonlySet<string> = new Set(['roots-way-in', 'way-around', 'answer-not-binding', 'skipped']);

async function password(machine: Machine): Promise<readonly Finding[]> {
  const read = await machine.files.read('/etc/shadow');
  if (read.kind === 'unseen') return [notChecked('whether root has a password (/etc/shadow)')];
  const line =
    read.kind === 'text' ? read.text.split('\n').find((one) => one.startsWith('root:')) : undefined;
  if (line === undefined)
    return [
      notChecked('whether root has a password: /etc/shadow has no line for root', 'getent shadow root'),
    ];
  // The hash is a secret and never part of a message.
  const usable = /^root:(?:\$|[A-Za-z0-9./]{13}:|_)/.test(line);
  return usable ? [] : [finding('root.no-password', 'root has no password, or it is locked', 'passwd root')];
}

async function shell(machine: Machine): Promise<readonly Finding[]> {
  const root = (await localAccounts(machine)).find(({ uid }) => uid === 0);
  if (root === undefined || logsIn(root)) return [];
  return [finding('root.no-shell', `root's shell is ${root.shell}`, `chsh -s /bin/bash ${root.name}`)];
}
