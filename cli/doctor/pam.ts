import { systemPaths } from '../../daemon/client/config.ts';
import { pluralise } from '../../daemon/lib/units.ts';
import { checkService } from '../pam/check.ts';
import type { FindingCode, ModuleLine, Finding as StackFinding } from '../pam/lines.ts';
import { placeOf, readStack, type Stack } from '../pam/read.ts';
import { refusals } from '../pam/refusals.ts';
import type { FindingId } from './catalogue.ts';
import { type Check, type Finding, finding, type Machine, notChecked, orGood, pathsOf } from './contract.ts';
import { guarded, isProgram, oursIn, programs } from './protected-services.ts';

/** Finding id for each code of the stack check; undefined: this check reports no finding. */
const ids: Readonly<Record<FindingCode, FindingId | undefined>> = {
  'service-refused': 'pam.service-refused',
  'line-broken': 'pam.line-broken',
  'line-empty': 'pam.line-empty',
  'first-factor-unverified': 'pam.first-factor-unverified',
  skipped: 'pam.skipped',
  'root-not-asked': undefined,
  'answer-not-binding': 'pam.refusal-ignored',
  'roots-way-in': undefined,
  // Reported by the check of root's console access.
  'way-around': undefined,
  'ignore-refused': 'pam.ignore-refused',
  'asked-twice': 'pam.asked-twice',
  'wrong-phase': 'pam.wrong-phase',
};

/** Services that programs use under two names. */
const siblings: readonly (readonly [string, string])[] = [
  ['su', 'su-l'],
  ['sudo', 'sudo-i'],
  ['login', 'remote'],
];

/** The stacks and their order: every path through them, as libpam would take it. */
export const pamCheck: Check = {
  id: 'PAM stacks',
  what: 'no stack bypasses the second factor or refuses everyone',
  async run(machine) {
    const found = guarded(machine);
    if (found.kind === 'unseen') return [notChecked(`the PAM stacks (${found.why})`)];
    const stacks = programs(found.services);
    const refused = unguardedRefusals(machine, stacks);
    if (stacks.length === 0)
      return [
        ...refused,
        ...trial(machine),
        finding(
          'pam.nothing-guarded',
          'no PAM service asks for a second factor',
          'sallyport pam enable sshd --with password --try 10m',
        ),
      ];
    const findings = [
      ...refused,
      ...stacks.flatMap(({ service }) => order(machine, service)),
      ...trial(machine),
      ...(await Promise.all(stacks.map((stack) => modules(machine, stack)))).flat(),
      ...(await otherSockets(machine, stacks)),
      ...unguardedSiblings(machine, stacks),
      ...reach(stacks),
    ];
    return orGood(
      unique(findings),
      `${pluralise(stacks.length, 'service')}: ${stacks.map(({ service }) => service).join(', ')}`,
    );
  },
};

function trial(machine: Machine): readonly Finding[] {
  const running = machine.trial();
  if (running === undefined) return [];
  const { services, state, left } = running;
  const when = left === undefined ? '' : `, ${left} s left`;
  return [
    finding(
      'pam.try-open',
      `${services.join(', ')}: ${state}${when}`,
      'from a new login: sallyport pam confirm',
    ),
  ];
}

/** Services without the module that libpam refuses anyway, or whose stacks contain lines that libpam rejects. */
function unguardedRefusals({ pam }: Machine, guardedOnes: readonly Stack[]): readonly Finding[] {
  const known = new Set(guardedOnes.map(({ service }) => service));
  const others = pam.names().filter((service) => isProgram(service) && !known.has(service));
  return others.flatMap((service) => findingsOf(service, refusals(pam, service)));
}

function order({ pam }: Machine, service: string): readonly Finding[] {
  return findingsOf(service, checkService(pam, service));
}

function findingsOf(service: string, found: readonly StackFinding[]): readonly Finding[] {
  return found.flatMap(({ code, place, message }): readonly Finding[] => {
    const id = ids[code];
    if (id === undefined) return [];
    const where = place === undefined ? service : `${service} (${placeOf(place)})`;
    return [finding(id, `${where}: ${message}`, `sallyport pam show ${service}`)];
  });
}

/** A line that five services include yields one finding. */
function unique(findings: readonly Finding[]): readonly Finding[] {
  return [...new Map(findings.map((one) => [one.summary, one])).values()];
}

async function modules(machine: Machine, stack: Stack): Promise<readonly Finding[]> {
  const findings = await Promise.all(
    oursIn(stack).map(async (line): Promise<readonly Finding[]> => {
      const places = line.module.startsWith('/') ? [line.module] : await connectionLimitOf(machine, line);
      const entries = await Promise.all(places.map((path) => machine.files.look(path)));
      if (entries.some(({ kind }) => kind === 'file' || kind === 'link')) return [];
      if (entries.some(({ kind }) => kind === 'unseen')) return [notChecked(`whether ${line.module} exists`)];
      const what = `${stack.service} (${placeOf(line)}): there is no ${line.module}`;
      return [finding('pam.module-missing', what, 'install the package again, or remove the line')];
    }),
  );
  return findings.flat();
}

/** Where libpam looks for modules: Debian has one directory per architecture. */
async function connectionLimitOf({ files }: Machine, { module }: ModuleLine): Promise<readonly string[]> {
  const listed = await files.list('/usr/lib');
  const triplets = listed.kind === 'names' ? listed.names.filter((name) => /-linux-gnu/.test(name)) : [];
  const directories = [
    ...triplets.map((name) => `/usr/lib/${name}`),
    '/usr/lib64',
    '/usr/lib',
    '/lib64',
    '/lib',
  ];
  return directories.map((directory) => `${directory}/security/${module}`);
}

async function otherSockets(machine: Machine, stacks: readonly Stack[]): Promise<readonly Finding[]> {
  const { pamSocket } = await pathsOf(machine);
  const real = async (path: string) => (await machine.files.real(path)) ?? path;
  const ours = await real(pamSocket);
  const lines = stacks.flatMap((stack) => oursIn(stack).map((line) => ({ stack, line })));
  const findings = await Promise.all(
    lines.map(async ({ stack, line }): Promise<readonly Finding[]> => {
      const named = line.options.findLast((option) => option.startsWith('socket='));
      const socket = named?.slice('socket='.length) ?? systemPaths.pamSocket;
      if (socket === pamSocket || (await real(socket)) === ours) return [];
      const what = `${stack.service} (${placeOf(line)}): the module connects to ${socket}, but sallyportd listens on ${pamSocket}`;
      return [finding('pam.other-socket', what, `set socket=${pamSocket} on that line`)];
    }),
  );
  return findings.flat();
}

function unguardedSiblings({ pam }: Machine, stacks: readonly Stack[]): readonly Finding[] {
  const is = (service: string) => stacks.some((stack) => stack.service === service);
  return siblings.flatMap((pair) => {
    const [on] = pair.filter(is);
    const [off] = pair.filter((service) => !is(service));
    if (on === undefined || off === undefined || pam.read(off) === undefined) return [];
    if (readStack(pam, off, 'auth').entries.length === 0) return [];
    return [
      finding(
        'pam.alias-unprotected',
        `${on} asks for the second factor, but ${off} does not`,
        `sallyport pam enable ${off}`,
      ),
    ];
  });
}

/** Services that use the module only through a shared file. */
function reach(stacks: readonly Stack[]): readonly Finding[] {
  const shared = stacks.filter(({ entries }) =>
    entries.some(
      (entry) =>
        entry.kind === 'module' &&
        entry.via.some(({ target }) => /^(?:common-|system-|password-)auth/.test(target)),
    ),
  );
  const names = shared.filter((stack) =>
    oursIn(stack).some((line) => /\/(?:common|system|password)-auth/.test(line.file)),
  );
  if (names.length === 0) return [];
  const what = `these services run the module through a shared file: ${names.map(({ service }) => service).join(', ')}`;
  return [finding('pam.reach', what, 'to examine one that cannot prompt: sallyport pam show SERVICE')];
}
