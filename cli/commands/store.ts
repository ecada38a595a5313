import type { Command } from 'commander';
import { ControlError } from '../../daemon/client/client.ts';
import { pluralise } from '../../daemon/lib/units.ts';
import type { Context } from '../lib/context.ts';
import { acceptFormerOption } from '../lib/deprecated.ts';
import { exitStatus } from '../lib/errors.ts';
import { doneTimes, noTimes } from '../lib/json-times.ts';
import { createProgress } from '../lib/progress.ts';
import { warnOfHeld, workOnStore } from '../lib/store-job.ts';

interface StoreOptions {
  readonly yes?: boolean;
  readonly json?: boolean;
  readonly resetAccount?: readonly string[];
}

const collect = (one: string, before: readonly string[] = []): readonly string[] => [...before, one];

/** Milliseconds between two queries of a running scrub. */
const lookEvery = 200;

export function addStore(program: Command, context: Context): void {
  const store = program.command('store').description('Check and repair the store');
  store
    .command('check')
    .description('Read the whole store without changing it; exit status 1 if it is damaged')
    .option('--json', 'Print JSON')
    .action((options: StoreOptions) => check(context, options));
  const repairing = store
    .command('repair')
    .description('Rebuild the store from readable records while sallyportd is stopped')
    .option(
      '--reset-account <user>',
      'Reset an account with an unreadable record: it loses all factors; may be repeated',
      collect,
    )
    .option('--yes', 'Do not ask for confirmation')
    .option('--json', 'Print JSON, one object per line')
    .action((options: StoreOptions) => repair(context, options));
  acceptFormerOption(repairing, context, '--give-up', '--reset-account');
  store
    .command('discard')
    .description('Remove stores kept by a restore or a repair')
    .option('--yes', 'Do not ask for confirmation')
    .action((options: StoreOptions) => discard(context, options));
}

/** Runs and awaits a scrub of the daemon; without a daemon, the same on a copy. */
async function check(context: Context, options: StoreOptions): Promise<void> {
  const client = context.client();
  const begun = await client.checkStore().catch((error: unknown) => {
    if (error instanceof ControlError && error.code === 'daemon-unreachable') return undefined;
    throw error;
  });
  if (begun === undefined) return checkStopped(context, options);
  const { since } = begun;
  const progress = createProgress(context.world);
  for (;;) {
    const { scrub, commit, accounts } = (await client.status()).store;
    if ((scrub.lastFinished ?? 0) >= since) {
      progress.clear();
      tell(context, options, [...scrub.findings], { commit, accounts, read: scrub.read });
      return;
    }
    progress.show(`${scrub.read} records read`);
    await new Promise((resolve) => setTimeout(resolve, lookEvery));
  }
}

async function checkStopped(context: Context, options: StoreOptions): Promise<void> {
  const { done, problems } = await workOnStore(context, ['--check-store'], true);
  tell(context, options, problems, done);
}

function tell(
  { output, end }: Context,
  { json }: StoreOptions,
  findings: readonly string[],
  facts: Readonly<Record<string, unknown>>,
): void {
  const whole = findings.length === 0;
  if (json === true) output.json({ ...facts, whole, findings }, noTimes);
  else for (const finding of findings) output.prose(finding);
  output.note(
    whole
      ? 'the store is intact'
      : 'the store is damaged; stop sallyportd, then run: sallyport restore FILE, or without a backup: sallyport store repair',
  );
  if (!whole) end(exitStatus.refused);
}

async function repair(context: Context, options: StoreOptions): Promise<void> {
  const { output, prompt } = context;
  await prompt.confirm('Rebuild the store from its readable records?', options.yes === true);
  const { done } = await workOnStore(
    context,
    ['--repair-store', ...(options.resetAccount ?? []).flatMap((user) => ['--reset-account', user])],
    options.json === true,
  );
  if (options.json === true) {
    output.jsonLine({ done }, doneTimes);
    return;
  }
  if (done.whole === true) {
    output.note('the store is intact; nothing was changed');
    return;
  }
  output.note(`saved: ${pluralise(Number(done.accounts), 'account')}, at commit ${done.commit}`);
  if (done.storeWasNewest !== true)
    output.warn(
      'this may not be the newest store: all recovery keys are void, and counter-based factors ask for two consecutive codes',
    );
  warnOfHeld(context, done);
  output.note(`the replaced store is kept in ${done.aside}; to remove it: sallyport store discard`);
  output.note('start the daemon: systemctl start sallyportd');
}

async function discard(context: Context, options: StoreOptions): Promise<void> {
  const { output, prompt } = context;
  const { done } = await workOnStore(context, ['--replaced-stores'], true);
  const aside = Array.isArray(done.aside) ? done.aside.map(String) : [];
  if (aside.length === 0) {
    output.note('no replaced store found');
    return;
  }
  for (const path of aside) output.line(path);
  await prompt.confirm('Remove them permanently?', options.yes === true);
  await workOnStore(context, ['--replaced-stores', '--discard'], true);
  output.note('removed');
}
