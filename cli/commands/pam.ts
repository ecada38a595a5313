import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import type { Context } from '../lib/context.ts';
import { CliError } from '../lib/errors.ts';
import { noTimes } from '../lib/json-times.ts';
import { lengthOfTime } from '../lib/option-values.ts';
import { type ChangeOptions, disable, type EnableOptions, enable } from '../pam/changes.ts';
import { pamFiles } from '../pam/files.ts';
import { pamConfig } from '../pam/installed.ts';
import { proveNewLogin } from '../pam/new-login-check.ts';
import { currentTrial, end } from '../pam/record.ts';
import { revertIfDue, revertNow } from '../pam/rollback-timer.ts';
import { isServiceName } from '../pam/services.ts';
import { allViews, showAll, showStack, stackView } from '../pam/show.ts';
import { trialView, warnTrial } from '../pam/trial.ts';

export function addPam(program: Command, context: Context): void {
  const pam = program.command('pam').description('Manage PAM services (root only)');
  pam.hook('preAction', () => {
    if (process.geteuid?.() !== 0)
      throw new CliError('root-needed', 'only root can show and change PAM services; use sudo');
  });
  pam
    .command('show [service]')
    .description('Show how each service is protected, or the whole stack of one as libpam resolves it')
    .option('--json', 'Print JSON')
    .action((service: string | undefined, options: { json?: boolean }) =>
      show(context, service, options.json === true),
    );
  withChangeOptions(pam.command('enable <service>'))
    .description('Require the second factor for a service: sshd, sudo, su, login, …')
    .addOption(
      new Option('--with <how>', 'sshd: first factor, verified before the code').choices([
        'key',
        'password',
        'one-prompt',
      ]),
    )
    .option('--stack <name>', `Stack: ${stackNames().join(', ')}`)
    .option('--try <time>', 'Roll back after TIME unless confirmed', tryLength)
    .action((service: string, options: EnableOptions) =>
      enable(context, named(service), options, stackNames()),
    );
  withChangeOptions(pam.command('disable [service]'))
    .description('Remove the second factor from a service; works without sallyportd')
    .option('--all', 'Disable every enabled service')
    .action((service: string | undefined, options: ChangeOptions & { all?: boolean }) => {
      if ((service === undefined) === (options.all !== true))
        throw new CliError('usage', 'no service given; name one, or use --all');
      return disable(context, service === undefined ? undefined : named(service), options);
    });
  pam
    .command('confirm')
    .description('Confirm a trial change from a new login')
    .action(() => confirm(context));
  pam
    .command('revert')
    .description('Roll back a trial change now')
    .action(() => {
      const trial = currentTrial();
      if (trial === undefined) throw new CliError('refused', 'there is no trial change');
      if (!revertNow()) throw new CliError('refused', 'rollback incomplete; run: sallyport pam show');
    });
}

function withChangeOptions(command: Command): Command {
  return command
    .option('--dry-run', 'Show what would change, and which accounts it would lock out')
    .option('--reload', 'Reload the running sshd')
    .option('--yes', 'Do not ask for confirmation');
}

/** Seconds. Less than a minute is too short for a new login; more than a day leaves the trial unattended. */
const withinADay = lengthOfTime(5_000, 86_400_000);
const tryLength = (text: string): number => withinADay(text) / 1_000;

function stackNames(): readonly string[] {
  try {
    const names = readdirSync(join(pamConfig(), 'pam.d')).sort();
    return names
      .filter((name) => name !== 'sallyport-password')
      .map((name) => name.replace('sallyport-', ''));
  } catch {
    return [];
  }
}

function named(service: string): string {
  if (isServiceName(service)) return service;
  throw new CliError('usage', `unknown PAM service "${service}"; name a file in /etc/pam.d, such as sshd`);
}

function show({ output }: Context, service: string | undefined, json: boolean): void {
  const files = pamFiles();
  const trial = currentTrial();
  const tried = trial === undefined ? {} : { trial: trialView(trial) };
  if (trial !== undefined && !json) warnTrial(output, trial);
  if (service === undefined) {
    const services = allViews(files);
    if (json) output.json({ services, ...tried }, noTimes);
    else showAll(output, services);
    return;
  }
  const view = stackView(files, named(service));
  if (json) output.json({ ...view, ...tried }, noTimes);
  else showStack(output, view);
}

async function confirm(context: Context): Promise<void> {
  if (currentTrial() !== undefined) revertIfDue();
  const trial = currentTrial();
  if (trial === undefined || trial.left === undefined)
    throw new CliError(
      'refused',
      'there is no trial change: it was confirmed or rolled back, or never began',
    );
  const outcome = await proveNewLogin(trial, context.client());
  if (!end(trial.change.id)) throw new CliError('refused', 'too late: the change was rolled back');
  context.output.prose(`${trial.change.services.join(', ')}: confirmed`);
  if (outcome !== 'success' && outcome !== 'accepted')
    context.output.note(
      `This login was not asked for a second factor (${outcome}). To check whether it can be: sallyport doctor`,
    );
}
