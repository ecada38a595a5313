import type { Context } from '../lib/context.ts';
import { CliError } from '../lib/errors.ts';
import { createProgress } from '../lib/progress.ts';
import type { SshdSettings } from '../lib/sshd-settings.ts';
import { lengthText } from '../lib/time.ts';
import { caller } from './accounts.ts';
import { apply } from './apply.ts';
import { unifiedDiff } from './diff.ts';
import { pamFiles } from './files.ts';
import { assess } from './lockout-check.ts';
import { type Plan, stackFor } from './plan.ts';
import { changedServices, planDisable, readyInclude } from './plan-disable.ts';
import { placeOf, servicesReaching } from './read.ts';
import { type Change, changeId, currentTrial, type FileChange, history, keep, writeFiles } from './record.ts';
import { revertIfDue, revertNow } from './rollback-timer.ts';
import { namesToDisable, planProgram } from './service-aliases.ts';
import { isService } from './services.ts';
import { fittingStack, pidFile, reload, reloadCommand, sshdFault, sshdSettings } from './sshd.ts';
import { warnTrial } from './trial.ts';

/** `sallyport pam enable`: shows the change, checks for lockouts, asks, writes. */
export async function enable(
  context: Context,
  service: string,
  options: EnableOptions,
  stacks: readonly string[],
): Promise<void> {
  endUnfinished();
  const settings = service === 'sshd' ? checkedSshd() : undefined;
  const known = stacks.map((name) => `sallyport-${name}`);
  const files = pamFiles();
  const said = options.with === undefined ? options.stack : stackOf(service, options.with);
  // Keeps the current stack unless another one is requested.
  const given = said ?? readyInclude(files, service)?.target;
  const stack =
    given === undefined && settings !== undefined ? fitting(settings) : stackFor(service, given, known);
  const plan = planProgram(files, service, stack, history());
  if (plan.files.length === 0) {
    context.output.prose(`${service} is already protected; see: sallyport pam show ${service}`);
    return;
  }
  await tell(context, plan);
  const { environment } = context.world;
  const safety = await assess({
    plan,
    client: context.client(),
    environment,
    onTrial: options.try !== undefined,
    files,
    progress: createProgress(context.world),
    now: context.world.now(),
    isMeant: options.yes === true,
  });
  for (const warning of safety.warnings) context.output.warn(warning);
  if (safety.blockers.length > 0)
    throw new CliError('refused', ['nothing was changed:', ...safety.blockers].join('\n'));
  if (options.dryRun === true) return tellDryRun(context);
  await context.prompt.confirm(`Change ${plan.services.join(', ')}?`, options.yes === true);
  const reloads = plan.files.some(({ path }) => path.startsWith('/etc/ssh/'));
  const change: Change = {
    id: changeId('enable', service, context.world.now()),
    action: 'enable',
    service,
    services: plan.services,
    at: context.world.now(),
    auditSeq: (await context.client().audit({ limit: 1 })).events[0]?.seq ?? -1,
    ...(settings !== undefined && reloads ? { reload: pidFile(settings) } : {}),
    ...(options.try === undefined ? {} : { trial: options.try }),
  };
  const me = caller(environment);
  const watching = apply(change, plan.files, service === 'sshd' && me !== undefined ? [me.name] : []);
  context.output.prose(`${plan.services.join(', ')}: changed`);
  if (settings !== undefined && reloads) tellReload(context, settings, options);
  if (options.try !== undefined) tellTrial(context, plan, options.try, watching.overReboot);
}

/** Rolls back an interrupted change first; a trial change blocks another change. */
function endUnfinished(): void {
  if (currentTrial() === undefined) return;
  revertIfDue();
  const still = currentTrial();
  if (still === undefined) return;
  throw new CliError(
    'refused',
    `${still.change.services.join(', ')} has an open trial, and only one is allowed at a time; run: sallyport pam confirm, or: sallyport pam revert`,
  );
}

function checkedSshd(): SshdSettings {
  const fault = sshdFault();
  if (fault !== undefined)
    throw new CliError('refused', `the current configuration of sshd is invalid: ${fault}`);
  return sshdSettings();
}

function stackOf(service: string, how: NonNullable<EnableOptions['with']>): string {
  if (service !== 'sshd')
    throw new CliError('usage', '--with is only for sshd; for other services use --stack');
  return { key: 'sshd-key', password: 'sshd', 'one-prompt': 'one-prompt' }[how];
}

function fitting(settings: SshdSettings): string {
  const found = fittingStack(settings);
  if (found !== undefined) return found;
  throw new CliError(
    'usage',
    'sshd accepts keys and passwords now; choose the first factor: --with key, or --with password',
  );
}

async function tell({ output }: Context, plan: Plan): Promise<void> {
  const others = plan.services.slice(1);
  if (others.length > 0) output.note(`Also changes: ${others.join(', ')}`);
  if (plan.from !== undefined) output.note(`Replaces ${plan.from} with ${plan.stackName}`);
  await showDiff(output, plan.files);
  for (const line of plan.lost)
    output.note(`${plan.service} no longer runs: ${line.text.replaceAll(/\s+/g, ' ')} (${placeOf(line)})`);
}

async function showDiff(output: Context['output'], files: readonly FileChange[]): Promise<void> {
  for (const { path, before, after } of files)
    for (const line of await unifiedDiff(path, before, after))
      output.line(asUtf8(line).replaceAll('\t', '    '));
}

const asUtf8 = (text: string): string => Buffer.from(text, 'latin1').toString('utf8');

function tellDryRun({ output }: Context): void {
  output.note('This was a dry run: nothing was written.');
}

function tellReload({ output }: Context, settings: SshdSettings, { reload: wanted }: ChangeOptions): void {
  const command = reloadCommand(settings);
  if (wanted === true) {
    reload(settings);
    output.prose(`sshd reloaded (${command})`);
  } else output.note(`sshd keeps its previous configuration until you run: ${command}`);
}

function tellTrial({ output }: Context, plan: Plan, seconds: number, overReboot: boolean): void {
  const names = plan.services.join(' or ');
  output.note(`Trial: the change is rolled back in ${lengthText(seconds)}, even if this shell is closed.`);
  output.note(
    `To keep it, leave this shell open, log in again through ${names}, and run there: sallyport pam confirm`,
  );
  if (overReboot) output.note('A restart of the machine also rolls it back.');
  else
    output.warn(
      'without systemd a restart of the machine does not roll it back; after a restart run: sallyport pam revert',
    );
}

/** `sallyport pam disable`: works without sallyportd. @param service undefined for all */
export async function disable(
  context: Context,
  service: string | undefined,
  options: ChangeOptions,
): Promise<void> {
  const trial = currentTrial();
  if (trial !== undefined && (service === undefined || trial.change.services.includes(service))) {
    warnTrial(context.output, trial);
    if (options.dryRun === true) return tellDryRun(context);
    await context.prompt.confirm(`Roll back ${trial.change.services.join(', ')} now?`, options.yes === true);
    if (!revertNow()) throw new CliError('refused', 'rollback incomplete; run: sallyport pam show');
    if (service !== undefined) return;
  }
  const services = service === undefined ? changedServices(pamFiles()) : namesToDisable(pamFiles(), service);
  if (service === undefined && services.length === 0) context.output.line('nothing is enabled');
  for (const one of services) await disableOne(context, one, options);
  if (options.dryRun === true) tellDryRun(context);
}

async function disableOne(context: Context, service: string, options: ChangeOptions): Promise<void> {
  const { output } = context;
  const files = pamFiles();
  const changes = planDisable(files, service, history());
  if (changes.length === 0) {
    output.prose(`${service} is not protected by this command; nothing was changed`);
    return;
  }
  const path = files.read(service)?.path;
  const others =
    path === undefined
      ? []
      : servicesReaching(files, path).filter((one) => one !== service && isService(one));
  if (others.length > 0) output.note(`Also changes: ${others.join(', ')}`);
  await showDiff(output, changes);
  if (options.dryRun === true) return;
  await context.prompt.confirm(
    `Remove the second factor from ${[service, ...others].join(', ')}?`,
    options.yes === true,
  );
  const at = context.world.now();
  const kept = keep(
    { id: changeId('disable', service, at), action: 'disable', service, services: [service, ...others], at },
    changes,
  );
  if (!kept) context.output.warn('the disk is full, so this change is not recorded; save the output above');
  writeFiles(changes);
  output.prose(`${[service, ...others].join(', ')}: restored`);
  if (changes.some(({ path }) => path.startsWith('/etc/ssh/'))) afterSshd(context, options);
}

/** An error in sshd's own configuration must not prevent the rest of the rollback. */
function afterSshd(context: Context, options: ChangeOptions): void {
  const fault = sshdFault();
  if (fault === undefined) tellReload(context, sshdSettings(), options);
  else context.output.warn(`${fault}; correct it, then reload sshd`);
}

export interface ChangeOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly reload?: boolean;
}

export interface EnableOptions extends ChangeOptions {
  readonly with?: 'key' | 'password' | 'one-prompt';
  readonly stack?: string;
  /** Seconds. */
  readonly try?: number;
}
