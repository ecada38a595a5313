import { type Command, Option } from 'commander';
import type { ExportedAccount, ExportPage } from '../../daemon/api/account-views.ts';
import { movedLimits } from '../../daemon/api/bounds.ts';
import type { ControlClient } from '../../daemon/client/client.ts';
import { pluralise } from '../../daemon/lib/units.ts';
import { createNewFile, type NewFile } from '../../daemon/lib/write-file.ts';
import { columns, rowOf } from '../import/csv-columns.ts';
import { lineOf } from '../import/csv-line.ts';
import { uriOf } from '../import/otpauth.ts';
import type { Context } from '../lib/context.ts';
import { CliError, cannotWrite, exitStatus } from '../lib/errors.ts';

interface ExportOptions {
  readonly all?: boolean;
  readonly format: 'otpauth' | 'csv';
  readonly output: string;
  readonly issuer: string;
  readonly yes?: boolean;
}

export function addExport(program: Command, context: Context): void {
  program
    .command('export [user...]')
    .description('Export secrets to a file (root only, audited)')
    .option('--all', 'Export all accounts')
    .addOption(
      new Option('--format <format>', 'otpauth: URIs for apps, csv: all fields')
        .choices(['otpauth', 'csv'])
        .makeOptionMandatory(),
    )
    .requiredOption('-o, --output <file>', 'New file, readable only by its owner')
    .option('--issuer <name>', 'Name that apps show beside the account', 'Sallyport')
    .option('--yes', 'Do not ask for confirmation')
    .action((users: readonly string[], options: ExportOptions) => run(context, users, options));
}

async function run(context: Context, users: readonly string[], options: ExportOptions): Promise<void> {
  if (users.length > 0 === (options.all === true))
    throw new CliError('usage', 'no account given; name accounts, or use --all');
  if (users.length > movedLimits.accounts)
    throw new CliError('usage', `more than ${movedLimits.accounts} accounts; name fewer, or use --all`);
  const whose = options.all === true ? 'all accounts' : users.join(', ');
  await context.prompt.confirm(
    `This writes the secrets of ${whose} to ${options.output}. Anyone who reads it can generate their codes. Continue?`,
    options.yes === true,
  );
  const file = await created(options.output);
  const counts = { accounts: 0, factors: 0, left: 0 };
  try {
    if (options.format === 'csv') await file.write(`${lineOf(columns)}\n`);
    for await (const account of accountsOf(context.client(), users)) {
      counts.accounts += 1;
      await write(file, context, account, options, counts);
    }
    await file.finish();
  } catch (error) {
    await file.abandon();
    throw error;
  }
  context.output.note(
    `${options.output} contains ${pluralise(counts.factors, 'factor')} of ${pluralise(counts.accounts, 'account')}; ${counts.left} left out. Anyone who reads this file can generate their codes: delete it after the import.`,
  );
  if (counts.left > 0) context.end(exitStatus.refused);
}

async function created(path: string): Promise<NewFile> {
  try {
    return await createNewFile(path);
  } catch (error) {
    throw new CliError('usage', `${cannotWrite(path, error)}; name a new file`);
  }
}

async function* accountsOf(
  client: Pick<ControlClient, 'export'>,
  users: readonly string[],
): AsyncGenerator<ExportedAccount> {
  let page: ExportPage = await client.export(users.length > 0 ? { users } : {});
  for (;;) {
    yield* page.accounts;
    if (page.next === undefined) return;
    page = await client.export({ after: page.next });
  }
}

async function write(
  file: NewFile,
  { output }: Context,
  { account, factors, left }: ExportedAccount,
  { format, issuer }: ExportOptions,
  counts: { factors: number; left: number },
): Promise<void> {
  const tell = (kind: string, name: string, why: string) => {
    counts.left += 1;
    if (output.terminal) output.prose(`${account}  ${kind} "${name}"  not exported: ${why}`);
    else output.table([], [[account, kind, name, 'stays', why]]);
  };
  for (const factor of factors) {
    const text = format === 'csv' ? csvOf(account, factor) : uriOf(account, factor, issuer);
    if (text === undefined) {
      const why = factor.enabled
        ? 'apps have no URI for this kind'
        : 'it is disabled, and a URI cannot say so';
      tell(factor.kind, factor.name, `${why}; use --format csv`);
      continue;
    }
    counts.factors += 1;
    await file.write(`${text}\n`);
  }
  for (const { kind, name, why } of left) tell(kind, name, why);
}

type Exported = ExportedAccount['factors'][number];

function csvOf(account: string, factor: Exported): string | undefined {
  const row = rowOf(account, factor);
  return row === undefined ? undefined : lineOf(columns.map((column) => row[column] ?? ''));
}
