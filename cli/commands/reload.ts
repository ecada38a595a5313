import type { Command } from 'commander';
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
    .description('have the daemon read its configuration again; a bad one changes nothing')
    .option('--yes', 'do not ask, even where the file would refuse every login')
    .action((options: ReloadOptions) => reload(context, options));
}

/**
 * The file is checked here and not by the daemon: NSS and /etc/pam.d are those of this machine, and only a person can
 * answer the question. A reload by the service manager asks nobody, and `status` and `doctor` say what came of it.
 */
async function reload(context: Context, { yes }: ReloadOptions): Promise<void> {
  const { output, prompt } = context;
  const looked = await warnOfConfig(context, context.configFile());
  if (looked.refusing.length > 0) {
    const { thisMachine } = await import('../doctor/machine.ts');
    const { lookAtRealms } = await import('../doctor/configured.ts');
    const machine = thisMachine(context.world, context.configFile());
    // What the configuration in force refuses already gets no worse.
    const before = await lookAtRealms(machine, await context.client().realms());
    const added = looked.refusing.filter((one) => !before.refusing.some(({ group }) => group === one.group));
    if (added.length > 0 && yes !== true) {
      const cost = costOf(added);
      if (!prompt.interactive)
        throw new CliError('refused', `nothing was changed: ${cost}. Correct the file, or say --yes`);
      await prompt.confirm(`With this file ${cost}. Load it all the same?`, false);
    }
  }
  const { file, realms, portal, problem } = await reloaded(context);
  output.note(`${file} is in force: ${pluralise(realms, 'realm')}`);
  if (portal === true) output.note('What the portal reads has changed: systemctl restart sallyport-portal');
  if (problem !== undefined) output.warn(problem);
}

function costOf(added: readonly LostGroup[]): string {
  const which = added.map(({ realm, group }) => `the group ${group} of the realm "${realm}"`).join(', ');
  return `every login of an account that no earlier realm takes would be refused, root's too, because of ${which}`;
}

async function reloaded(context: Context) {
  try {
    return await context.client().reload();
  } catch (error) {
    if (!(error instanceof ControlError) || error.code !== 'config-invalid') throw error;
    throw new ControlError(
      error.code,
      `${error.message}\nNothing was changed: the configuration of before stays in force.`,
    );
  }
}

/**
 * Warns of what a configuration file names and this machine does not have. A bad file has been named by sallyportd, or
 * will be. The parser and the checks are loaded only here.
 */
export async function warnOfConfig(context: Context, file: string): Promise<RealmsLookedAt> {
  const { thisMachine } = await import('../doctor/machine.ts');
  const { lookAtConfig } = await import('../doctor/configured.ts');
  const machine = thisMachine(context.world, file);
  const read = await machine.config();
  if (read.kind !== 'good') return { findings: [], refusing: [] };
  const looked = await lookAtConfig(machine, read.config);
  for (const one of looked.findings) context.output.warn(findingText(one));
  return looked;
}
