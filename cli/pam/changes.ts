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

/** `sallyport pam enable`: shows, judges, asks, writes. */
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
  // What is there stays, unless another one is asked for.
  const given = said ?? readyInclude(files, service)?.target;
  const stack =
    given === undefined && settings !== undefined ? fitting(settings) : stackFor(service, given, known);
  const plan = planProgram(files, service, stack, history());
  if (plan.files.length === 0) {
    context.output.prose(`${service} is guarded already; see: sallyport pam show ${service}`);
    return;
  }
  tell(context, plan);
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
  if (options.dryRun === true) return;
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

/** A change whose author was ended in the middle goes first; one on trial is in the way. */
function endUnfinished(): void {
  if (currentTrial() === undefined) return;
  revertIfDue();
  const still = currentTrial();
  if (still === undefined) return;
  throw new CliError(
    'refused',
    `${still.change.services.join(', ')} is on trial, and there is one at a time; first: sallyport pam confirm, or revert`,
  );
}

function checkedSshd(): SshdSettings {
  const fault = sshdFault();
  if (fault !== undefined)
    throw new CliError('refused', `sshd does not like its configuration as it is: ${fault}`);
  return sshdSettings();
}

function stackOf(service: string, how: NonNullable<EnableOptions['with']>): string {
  if (service !== 'sshd') throw new CliError('usage', '--with is for sshd; for other services say --stack');
  return { key: 'sshd-key', password: 'sshd', 'one-prompt': 'one-prompt' }[how];
}

function fitting(settings: SshdSettings): string {
  const found = fittingStack(settings);
  if (found !== undefined) return found;
  throw new CliError(
    'usage',
    'sshd takes keys and passwords today; say which one stays before the code: --with key, or --with password',
  );
}

function tell({ output }: Context, plan: Plan): void {
  const others = plan.services.slice(1);
  if (others.length > 0) output.note(`This changes too: ${others.join(', ')}`);
  if (plan.from !== undefined) output.note(`This replaces ${plan.from} by ${plan.stackName}`);
  showDiff(output, plan.files);
  for (const line of plan.lost)
    output.note(
      `${plan.service} no longer comes by: ${line.text.replaceAll(/\s+/g, ' ')} (${placeOf(line)})`,
    );
}

function showDiff(output: Context['output'], files: readonly FileChange[]): void {
  for (const { path, before, after } of files)
    for (const line of unifiedDiff(path, before, after))
      for (const row of asUtf8(line).split('\n')) output.line(row.replaceAll('\t', '    '));
}

const asUtf8 = (text: string): string => Buffer.from(text, 'latin1').toString('utf8');

function tellReload({ output }: Context, settings: SshdSettings, { reload: wanted }: ChangeOptions): void {
  const command = reloadCommand(settings);
  if (wanted === true) {
    reload(settings);
    output.prose(`sshd has read its configuration again (${command})`);
  } else output.note(`sshd goes on as before until it reads its configuration again: ${command}`);
}

function tellTrial({ output }: Context, plan: Plan, seconds: number, overReboot: boolean): void {
  const names = plan.services.join(' or ');
  output.note(`On trial: all is put back in ${lengthText(seconds)}, also when this shell is gone.`);
  output.note(
    `To keep it, log in anew through ${names}, leave this shell open, and say there: sallyport pam confirm`,
  );
  if (overReboot) output.note('A restart of the machine puts it back at once.');
  else
    output.warn(
      'a restart of the machine before then is not covered: there is no systemd; should it happen: sallyport pam revert',
    );
}

/** `sallyport pam disable`: asks sallyportd for nothing. @param service undefined: all */
export async function disable(
  context: Context,
  service: string | undefined,
  options: ChangeOptions,
): Promise<void> {
  const trial = currentTrial();
  if (trial !== undefined && (service === undefined || trial.change.services.includes(service))) {
    warnTrial(context.output, trial);
    if (options.dryRun === true) return;
    await context.prompt.confirm(`Put ${trial.change.services.join(', ')} back now?`, options.yes === true);
    if (!revertNow())
      throw new CliError('refused', 'not everything could be put back; see: sallyport pam show');
    if (service !== undefined) return;
  }
  const services = service === undefined ? changedServices(pamFiles()) : namesToDisable(pamFiles(), service);
  if (service === undefined && services.length === 0) context.output.line('nothing is enabled');
  for (const one of services) await disableOne(context, one, options);
}

async function disableOne(context: Context, service: string, options: ChangeOptions): Promise<void> {
  const { output } = context;
  const files = pamFiles();
  const changes = planDisable(files, service, history());
  if (changes.length === 0) {
    output.prose(`${service} is not guarded by a line of this command; nothing was changed`);
    return;
  }
  const path = files.read(service)?.path;
  const others =
    path === undefined
      ? []
      : servicesReaching(files, path).filter((one) => one !== service && isService(one));
  if (others.length > 0) output.note(`This changes too: ${others.join(', ')}`);
  showDiff(output, changes);
  if (options.dryRun === true) return;
  await context.prompt.confirm(
    `Take the second factor away from ${[service, ...others].join(', ')}?`,
    options.yes === true,
  );
  const at = context.world.now();
  const kept = keep(
    { id: changeId('disable', service, at), action: 'disable', service, services: [service, ...others], at },
    changes,
  );
  if (!kept)
    context.output.warn('there is no room for a record of this change; what is above is all there is');
  writeFiles(changes);
  output.prose(`${[service, ...others].join(', ')}: as before`);
  if (changes.some(({ path }) => path.startsWith('/etc/ssh/'))) afterSshd(context, options);
}

/** sshd may be broken for reasons of its own; that must not keep the rest from being put back. */
function afterSshd(context: Context, options: ChangeOptions): void {
  const fault = sshdFault();
  if (fault === undefined) tellReload(context, sshdSettings(), options);
  else context.output.warn(`${fault}; mend that, then reload it`);
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
