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
  const pam = program.command('pam').description('which services ask for the second factor; root alone');
  pam.hook('preAction', () => {
    if (process.geteuid?.() !== 0)
      throw new CliError(
        'root-needed',
        'what guards the logins is shown to root and changed by root alone; use sudo',
      );
  });
  pam
    .command('show [service]')
    .description('what guards each service, or the whole stack of one, as libpam resolves it')
    .option('--json', 'as JSON')
    .action((service: string | undefined, options: { json?: boolean }) =>
      show(context, service, options.json === true),
    );
  withChangeOptions(pam.command('enable <service>'))
    .description('put the second factor in front of a service: sshd, sudo, su, login, …')
    .addOption(
      new Option('--with <how>', 'sshd: what comes before the code').choices([
        'key',
        'password',
        'one-prompt',
      ]),
    )
    .option('--stack <name>', `one of: ${stackNames().join(', ')}`)
    .option('--try <time>', 'put all back after so long (10m) unless a new login confirms it', tryLength)
    .action((service: string, options: EnableOptions) =>
      enable(context, named(service), options, stackNames()),
    );
  withChangeOptions(pam.command('disable [service]'))
    .description('take it out again; works while sallyportd is down')
    .option('--all', 'every service that was enabled')
    .action((service: string | undefined, options: ChangeOptions & { all?: boolean }) => {
      if ((service === undefined) === (options.all !== true))
        throw new CliError('usage', 'name a service, or say --all');
      return disable(context, service === undefined ? undefined : named(service), options);
    });
  pam
    .command('confirm')
    .description('keep a change that is on trial; said in a new login through it')
    .action(() => confirm(context));
  pam
    .command('revert')
    .description('put a change that is on trial back now')
    .action(() => {
      const trial = currentTrial();
      if (trial === undefined) throw new CliError('refused', 'no change is on trial');
      if (!revertNow())
        throw new CliError('refused', 'not everything could be put back; see: sallyport pam show');
    });
}

function withChangeOptions(command: Command): Command {
  return command
    .option('--dry-run', 'show what would change, and whom it would lock out')
    .option('--reload', 'sshd: make the running one read its configuration')
    .option('--yes', 'do not ask');
}

/** In seconds. Under a minute nobody logs in anew; the end of a day is a change that nobody looks after. */
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
  throw new CliError('usage', `"${service}" is no name of a service: a file of /etc/pam.d, such as sshd`);
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
    throw new CliError('refused', 'no change is on trial: it was confirmed, or put back, or there was none');
  const outcome = await proveNewLogin(trial, context.client());
  if (!end(trial.change.id)) throw new CliError('refused', 'too late: the change has been put back');
  context.output.prose(`${trial.change.services.join(', ')}: confirmed, and stays`);
  if (outcome !== 'success' && outcome !== 'accepted')
    context.output.note(
      `This login was asked for no second factor (${outcome}). Whether one can be asked for: sallyport doctor`,
    );
}
