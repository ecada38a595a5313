import { join } from 'node:path/posix';
import { pluralise } from '../../daemon/lib/units.ts';
import { outside } from '../lib/sshd-settings.ts';
import { roleOf, takesPassword } from '../pam/modules.ts';
import type { Stack } from '../pam/read.ts';
import { type Check, type Finding, finding, type Machine, notChecked, orGood } from './contract.ts';
import { groupNamed, localAccounts, localPeople } from './names.ts';
import { guarded, oursIn } from './protected-services.ts';
import { realmsOf } from './realms.ts';
import { matchNames, type Probe, resolveSshd } from './sshd-config.ts';
import { checkSettings, type Setting } from './sshd-rules.ts';

const directory = '/etc/ssh';
/** Number of users checked besides root and those that Match blocks name. */
const people = 5;
const probesAtMost = 40;
const asRoot = 'run it as root: sudo sallyport doctor';

/** sshd's configuration as sshd resolves it, for root, for users and for the names in Match blocks. */
export const sshdCheck: Check = {
  id: 'sshd',
  what: 'sshd uses PAM, can ask for the code, and has no method that bypasses it',
  limit: 20_000,
  async run(machine) {
    const services = guarded(machine);
    if (services.kind === 'unseen') return [notChecked(`the stack of sshd (${services.why})`)];
    const stack = services.services.find(({ service }) => service === 'sshd');
    const first = await resolveSshd(machine, { user: 'root', address: outside });
    if (first.kind === 'absent') return [{ severity: 'ok', summary: first.why }];
    if (first.kind === 'unseen')
      return [
        notChecked(
          `the configuration of sshd (${first.why})`,
          machine.uid === 0 ? 'systemctl start ssh' : asRoot,
        ),
      ];
    if (first.kind === 'bad')
      return [finding('sshd.config-bad', first.why, 'correct that line, then: sshd -t')];
    const dropIns = await unread(machine);
    if (stack === undefined) return orGood(dropIns, 'sshd is not protected; its configuration is valid');
    const lines = oursIn(stack);
    const onePrompt = lines.some(takesPassword);
    const rules = ((await realmsOf(machine)) ?? []).flatMap((realm) => realm.rules);
    const acceptsKeys = rules.some(({ action }) => action.kind === 'accept');
    const namesNetworks = rules.some(
      ({ services: names, from }) =>
        (names?.includes('sshd') ?? true) && from?.some(({ kind }) => kind === 'network') === true,
    );
    const probes = await probesOf(machine);
    const evaluated = await Promise.all(
      probes.map(async (probe): Promise<readonly Setting[]> => {
        const resolved = await resolveSshd(machine, probe);
        if (resolved.kind !== 'settings') return [];
        const about = { ...probe, ...firstFactorOf(stack), onePrompt, acceptsKeys, namesNetworks };
        return checkSettings(resolved.settings, about);
      }),
    );
    const exempt = await exemptByRealm(machine, probes);
    return orGood(
      [...dropIns, ...merged(evaluated, probes, exempt)],
      `examined for ${pluralise(probes.length, 'connection')}`,
    );
  },
};

/** What the stack requires before the code. */
function firstFactorOf({ entries }: Stack): { readonly asksPassword: boolean; readonly wantsKey: boolean } {
  const lines = entries.flatMap((entry) => (entry.kind === 'module' ? [entry.line] : []));
  return {
    asksPassword: lines.some((line) => roleOf(line) === 'first'),
    wantsKey: lines.some((line) => line.options.some((option) => option.includes('SSH_AUTH_INFO_0'))),
  };
}

async function configTexts(machine: Machine): Promise<readonly string[]> {
  const main = await machine.files.read(`${directory}/sshd_config`);
  const listed = await machine.files.list(`${directory}/sshd_config.d`);
  const names = listed.kind === 'names' ? listed.names.filter((name) => name.endsWith('.conf')) : [];
  const parts = await Promise.all(
    names.map((name) => machine.files.read(`${directory}/sshd_config.d/${name}`)),
  );
  return [main, ...parts].flatMap((read) => (read.kind === 'text' ? [read.text] : []));
}

async function probesOf(machine: Machine): Promise<readonly Probe[]> {
  const match = matchNames(await configTexts(machine));
  const groups = await Promise.all(match.groups.map((name) => groupNamed(machine, name)));
  const accounts = await localAccounts(machine);
  const local = (await localPeople(machine)).filter(({ uid }) => uid !== 0).slice(0, people);
  const ofGroup = groups.flatMap((group) => {
    if (group.kind !== 'found') return [];
    const { gid, members } = group.value;
    return members[0] ?? accounts.find((account) => account.gid === gid)?.name ?? [];
  });
  const users = [...new Set(['root', ...local.map(({ name }) => name), ...match.users, ...ofGroup])];
  const addresses = [outside, ...match.addresses.map((one) => one.split('/')[0] ?? one)];
  return users.flatMap((user) => addresses.map((address) => ({ user, address }))).slice(0, probesAtMost);
}

/** Logins that need no second factor over ssh are not reported as bypasses. */
async function exemptByRealm(machine: Machine, probes: readonly Probe[]): Promise<ReadonlySet<string>> {
  const status = await machine.status();
  if (!status.ok) return new Set();
  const off = await Promise.all(
    probes.map(async ({ user, address }) => {
      try {
        const { decision } = await machine.daemon.explain(user, { service: 'sshd', from: address });
        return decision === 'not-needed' ? [keyOf({ user, address })] : [];
      } catch {
        // A name in a Match block that is not an account's.
        return [];
      }
    }),
  );
  return new Set(off.flat());
}

function keyOf({ user, address }: Probe): string {
  return `${user} from ${address}`;
}

/** One finding per problem, with the affected accounts. */
function merged(
  evaluated: readonly (readonly Setting[])[],
  probes: readonly Probe[],
  exempt: ReadonlySet<string>,
): readonly Finding[] {
  const byText = new Map<string, { setting: Setting; whose: string[] }>();
  evaluated.forEach((settings, index) => {
    const probe = probes[index];
    if (probe === undefined) return;
    for (const setting of settings) {
      if (setting.id === 'sshd.single-factor' && exempt.has(keyOf(probe))) continue;
      const key = `${setting.id} ${setting.what}`;
      const known = byText.get(key) ?? { setting, whose: [] };
      known.whose.push(probe.address === outside ? probe.user : keyOf(probe));
      byText.set(key, known);
    }
  });
  return [...byText.values()].map(({ setting: { id, what, fix }, whose }) => {
    const whom = whose.length === probes.length ? 'all examined connections' : [...new Set(whose)].join(', ');
    return finding(id, `${what} (${whom})`, fix);
  });
}

/** Shipped drop-ins that sshd_config does not include. */
async function unread(machine: Machine): Promise<readonly Finding[]> {
  const listed = await machine.files.list(`${directory}/sshd_config.d`);
  const ours = listed.kind === 'names' ? listed.names.filter((name) => /^sallyport.*\.conf$/.test(name)) : [];
  const main = await machine.files.read(`${directory}/sshd_config`);
  if (ours.length === 0 || main.kind !== 'text') return [];
  const before = main.text.split(/^\s*match\s/im)[0] ?? '';
  if (/^\s*include\s+.*sshd_config\.d\//im.test(before)) return [];
  return ours.map((name) =>
    finding(
      'sshd.drop-in-unread',
      `${join(directory, 'sshd_config.d', name)} exists, but ${directory}/sshd_config does not include it`,
      `put "Include ${directory}/sshd_config.d/*.conf" at the top of ${directory}/sshd_config, then: systemctl reload ssh`,
    ),
  );
}
