import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import type { LinkView } from '../../daemon/api/sign-in-views.ts';
import { ControlError } from '../../daemon/client/client.ts';
import type { Context } from '../lib/context.ts';
import { CliError, exitStatusOf, systemCode } from '../lib/errors.ts';

interface InviteOptions {
  readonly from?: string;
  readonly withoutPassword: boolean;
  readonly json?: boolean;
}

interface Invited extends LinkView {
  readonly account: string;
}

interface NotInvited {
  readonly account: string;
  readonly code: string;
  readonly message: string;
}

/** Errors that every account would get: the command stops at the first. */
const hopeless: ReadonlySet<string> = new Set([
  'daemon-unreachable',
  'shutting-down',
  'sign-in-refused',
  'token-needed',
  'password-needed',
  'password-unavailable',
]);

export function addInvite(program: Command, context: Context): void {
  program
    .command('invite [users...]')
    .description('Create single-use enrolment links, valid for 24 hours')
    .option(
      '--from <file>',
      'Read account names from a file, one per line ("#": comment); "-": standard input',
    )
    .option('--without-password', 'Require only the link: for accounts without a password', false)
    .option('--json', 'Print JSON')
    .addHelpText(
      'after',
      [
        '',
        'A new invite replaces the one before. The link also asks for the password of the account; with',
        '--without-password, anyone who has the link can enrol.',
        'If one account fails, the others still get their links. Exit status: 0 if every account has a link,',
        'else that of the first account that failed.',
      ].join('\n'),
    )
    .action((users: readonly string[], options: InviteOptions) => invite(context, users, options));
}

async function invite(context: Context, given: readonly string[], options: InviteOptions): Promise<void> {
  const { output } = context;
  const listed = options.from === undefined ? [] : namesIn(await readList(context, options.from));
  const accounts = [...new Set([...given, ...listed])];
  if (accounts.length === 0)
    throw new CliError('usage', 'no account to invite; name accounts, or use --from FILE');
  const invited: Invited[] = [];
  const failed: NotInvited[] = [];
  for (const [index, account] of accounts.entries()) {
    try {
      const link = await context.client().invite(account, options.withoutPassword);
      invited.push({ account, ...link });
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      const { code, message } = error;
      if (failed.length === 0) context.end(exitStatusOf(error));
      failed.push({ account, code, message });
      output.error(`${account}: ${message}`);
      if (!hopeless.has(code)) continue;
      const left = accounts.slice(index + 1);
      for (const one of left) failed.push({ account: one, code, message });
      if (left.length > 0) output.error(`not attempted: ${left.join(' ')}`);
      break;
    }
  }
  if (options.json === true) output.json({ invited, failed }, { invited: { expires: 'time' } });
  else if (invited.length > 0) tell(context, invited);
}

function tell({ output }: Context, invited: readonly Invited[]): void {
  output.note('Each link works once and is shown only once. Send each link over a private channel.');
  if (invited.some(({ url }) => url === undefined))
    output.warn('the configuration has no [portal] origins: only the secret parts of the links are shown');
  output.table(
    ['USER', 'LINK', 'VALID UNTIL'],
    invited.map(({ account, link, url, expires }) => [account, url ?? link, output.cellTime(expires)]),
  );
}

/** @throws CliError usage: a file that cannot be read */
async function readList({ world }: Context, file: string): Promise<string> {
  if (file === '-') return text(world.input);
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const why = systemCode(error);
    throw new CliError('usage', `cannot read ${file} (${why}); check --from`);
  }
}

function namesIn(list: string): readonly string[] {
  return list
    .split(/\r?\n/)
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((name) => name !== '');
}
