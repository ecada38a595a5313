import type { Command } from 'commander';
import type { Realm } from '../../daemon/api/views.ts';
import { ControlError } from '../../daemon/client/client.ts';
import { pluralise } from '../../daemon/lib/units.ts';
import type { LostGroup, RealmsLookedAt } from '../doctor/configured.ts';
import { findingText } from '../doctor/contract.ts';
import type { Context } from '../lib/context.ts';
import { CliError } from '../lib/errors.ts';

interface ReloadOptions {
  readonly yes?: boolean;
}

export function addReload(program: Command, context: Context): void {
  program
    .command('reload')
    .description('Reload the configuration; an invalid file changes nothing')
    .option('--yes', 'Do not ask for confirmation, even if the file would refuse every login')
    .action((options: ReloadOptions) => reload(context, options));
}

/**
 * The CLI checks the file, not the daemon: only a user can answer the question. A reload by the service manager asks
 * nothing; `status` and `doctor` report its result.
 */
async function reload(context: Context, { yes }: ReloadOptions): Promise<void> {
  const { output, prompt } = context;
  const askedBefore = namesOfAsking(await context.client().realms());
  const looked = await warnOfConfig(context, context.configFile());
  if (looked.refusing.length > 0) {
    const { thisMachine } = await import('../doctor/machine.ts');
    const { lookAtRealms } = await import('../doctor/configured.ts');
    const machine = thisMachine(context.world, context.configFile());
    // Refusals of the active configuration are not new.
    const before = await lookAtRealms(machine, await context.client().realms());
    const added = looked.refusing.filter((one) => !before.refusing.some(({ group }) => group === one.group));
    if (added.length > 0 && yes !== true) {
      const cost = costOf(added);
      if (!prompt.interactive)
        throw new CliError('refused', `nothing was changed: ${cost}; correct the file, or use --yes`);
      await prompt.confirm(`With this file ${cost}. Load it anyway?`, false);
    }
  }
  const { file, realms, portal, problem } = await reloaded(context);
  output.note(`${file} is active: ${pluralise(realms, 'realm')}`);
  if (portal === true)
    output.note('The portal has not read these settings yet; run: systemctl restart sallyport-portal');
  if (problem !== undefined) output.warn(problem);
  await warnOfRefused(context, askedBefore);
}

/** A reload answers soon: it looks at so many accounts, and leaves the others to doctor. */
const accountsAtMost = 500;

/** Warns of accounts that a realm refuses which asked for no factor before: it only observed, or did not exist. */
async function warnOfRefused(context: Context, askedBefore: ReadonlySet<string>): Promise<void> {
  const asking = namesOfAsking(await context.client().realms());
  const begun = new Set([...asking].filter((name) => !askedBefore.has(name)));
  if (begun.size === 0) return;
  const { thisMachine } = await import('../doctor/machine.ts');
  const { refusedBy } = await import('../doctor/members.ts');
  const { findingText } = await import('../doctor/contract.ts');
  const machine = thisMachine(context.world, context.configFile());
  for (const one of await refusedBy(machine, begun, accountsAtMost)) context.output.warn(findingText(one));
}

function namesOfAsking(realms: readonly Realm[]): ReadonlySet<string> {
  return new Set(realms.flatMap(({ name, observe }) => (observe === true ? [] : name)));
}

function costOf(added: readonly LostGroup[]): string {
  const which = added.map(({ realm, group }) => `the group ${group} of the realm "${realm}"`).join(', ');
  return `every login of an account outside the earlier realms would be refused, root's included, because of ${which}`;
}

async function reloaded(context: Context) {
  try {
    return await context.client().reload();
  } catch (error) {
    if (!(error instanceof ControlError) || error.code !== 'config-invalid') throw error;
    throw new ControlError(
      error.code,
      `${error.message}\nNothing was changed: the previous configuration stays active.`,
    );
  }
}

export interface ConfigLookedAt extends RealmsLookedAt {
  /** How many. */
  readonly realms: number;
}

/**
 * Warns of names in a configuration file that do not exist on this machine. sallyportd itself reports an invalid file.
 * The parser and the checks are loaded on demand.
 */
export async function warnOfConfig(context: Context, file: string): Promise<ConfigLookedAt> {
  const { thisMachine } = await import('../doctor/machine.ts');
  const { lookAtConfig } = await import('../doctor/configured.ts');
  const machine = thisMachine(context.world, file);
  const read = await machine.config();
  if (read.kind !== 'good') return { findings: [], refusing: [], realms: 0 };
  const looked = await lookAtConfig(machine, read.config);
  for (const one of looked.findings) context.output.warn(findingText(one));
  return { ...looked, realms: read.config.realms.length };
}
