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

/** Milliseconds between two looks at a scrub that runs. */
const lookEvery = 200;

export function addStore(program: Command, context: Context): void {
  const store = program.command('store').description('the store itself: damage, and what to do about it');
  store
    .command('check')
    .description('read everything once and change nothing; exit status 1 where something is damaged')
    .option('--json', 'as JSON')
    .action((options: StoreOptions) => check(context, options));
  const repairing = store
    .command('repair')
    .description('while sallyportd is stopped: a new store, and a new anchor, out of what can be read')
    .option(
      '--reset-account <user>',
      'an account whose record is lost begins anew, without a factor; may be repeated',
      collect,
    )
    .option('--yes', 'do not ask')
    .option('--json', 'as JSON, one object a line')
    .action((options: StoreOptions) => repair(context, options));
  acceptFormerOption(repairing, context, '--give-up', '--reset-account');
  store
    .command('discard')
    .description('remove the stores that a restore or a repair has kept')
    .option('--yes', 'do not ask')
    .action((options: StoreOptions) => discard(context, options));
}

/** A scrub of the daemon's own, waited for; without a daemon, the same on a copy. */
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
      ? 'the store is whole'
      : 'the store is damaged. With sallyportd stopped: sallyport restore FILE, or without a backup: sallyport store repair',
  );
  if (!whole) end(exitStatus.refused);
}

async function repair(context: Context, options: StoreOptions): Promise<void> {
  const { output, prompt } = context;
  await prompt.confirm('Make a new store out of what can be read of this one?', options.yes === true);
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
    output.note('the store is whole; nothing was changed');
    return;
  }
  output.note(`saved: ${pluralise(Number(done.accounts), 'account')}, at commit ${done.commit}`);
  if (done.storeWasNewest !== true)
    output.warn(
      'nobody knows whether this was the newest store: all recovery keys are void, and tokens by counter ask for two codes in a row',
    );
  warnOfHeld(context, done);
  output.note(`the store of before is kept in ${done.aside}; "sallyport store discard" removes it`);
  output.note('start the daemon: systemctl start sallyportd');
}

async function discard(context: Context, options: StoreOptions): Promise<void> {
  const { output, prompt } = context;
  const { done } = await workOnStore(context, ['--replaced-stores'], true);
  const aside = Array.isArray(done.aside) ? done.aside.map(String) : [];
  if (aside.length === 0) {
    output.note('there is none');
    return;
  }
  for (const path of aside) output.line(path);
  await prompt.confirm('Remove them for good?', options.yes === true);
  await workOnStore(context, ['--replaced-stores', '--discard'], true);
  output.note('they are removed');
}
