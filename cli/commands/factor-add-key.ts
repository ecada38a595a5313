import type { Command } from 'commander';
import type {
  CeremonyBody,
  CeremonyStep,
  CeremonyView,
  KindAlone,
  KindWith,
} from '../../daemon/api/views.ts';
import { ControlError } from '../../daemon/client/client.ts';
import { readU2f } from '../../daemon/client/factor-input.ts';
import { pluralise } from '../../daemon/lib/units.ts';
import { type Context, needed } from '../lib/context.ts';
import { CliError } from '../lib/errors.ts';
import { mayAdd, nameIn, tell } from './enrol.ts';

interface KeyOptions {
  readonly name?: string;
}
interface U2fOptions extends KeyOptions {
  readonly credential?: string;
  readonly keyHandle?: string;
  readonly publicKey?: string;
  readonly appId: string;
  readonly verify: boolean;
}

type NewKeyKind = KindAlone<CeremonyBody>;
type OldKeyKind = KindWith<'appId'>;

export function addWebauthnCommand(add: Command, kind: NewKeyKind, context: Context): void {
  add
    .command(`${kind} <user>`)
    .description('Enrol a security key plugged into this machine with one touch; it also works in browsers')
    .option('--name <name>', 'Name of the key')
    .action((user: string, options: KeyOptions) => addWebauthn(context, kind, user, options));
}

export function addU2fCommand(add: Command, kind: OldKeyKind, context: Context): void {
  add
    .command(`${kind} <user>`)
    .description(
      'Add a key enrolled by pam_u2f or Proxmox VE (legacy: enrol it again as webauthn if possible)',
    )
    .option('--name <name>', 'Name of the key')
    .option(
      '--credential <text>',
      'One credential of u2f_keys, the part between two colons: KEYHANDLE,PUBLICKEY,es256,+presence',
    )
    .option('--key-handle <base64>', 'Key handle, together with --public-key')
    .option('--public-key <text>', 'Public key in base64 or hex, together with --key-handle')
    .requiredOption(
      '--app-id <id>',
      'AppID of the credential (https://…), or the origin of pam_u2f (pam://HOST)',
    )
    .option('--no-verify', 'Skip verification (root only)')
    .action((user: string, options: U2fOptions) => addU2f(context, kind, user, options));
}

async function addWebauthn(
  context: Context,
  kind: NewKeyKind,
  user: string,
  options: KeyOptions,
): Promise<void> {
  await mayAdd(context, user);
  await runCeremony(context, user, { kind, ...nameIn(options) });
}

async function addU2f(context: Context, kind: OldKeyKind, user: string, options: U2fOptions): Promise<void> {
  const { credential, keyHandle, publicKey, appId } = options;
  if ((credential === undefined) === (keyHandle === undefined || publicKey === undefined))
    throw new CliError('usage', 'give either --credential, or --key-handle and --public-key');
  const body = {
    kind,
    ...readU2f(credential ?? `${keyHandle ?? ''},${publicKey ?? ''}`, appId),
    ...nameIn(options),
  } as const;
  await mayAdd(context, user);
  if (options.verify) await runCeremony(context, user, body);
  else tell(context, await context.client().addFactor(user, { ...body, verify: false }));
  context.output.note(
    'This is a legacy credential. If possible, add the key again with "factor add webauthn", then remove this one.',
  );
}

/** Runs the enrolment on the security keys of this machine, and prompts the user. */
async function runCeremony(context: Context, user: string, body: CeremonyBody): Promise<void> {
  const client = context.client();
  let view = await client.beginCeremony(user, body);
  const isInterrupted = new Promise<never>((_, reject) => {
    context.world.onInterrupt(() => reject(new CliError('cancelled', 'nothing was changed')));
  });
  // Another step may be awaiting this rejection, or none.
  isInterrupted.catch(() => undefined);
  try {
    for (;;) {
      const { step } = view;
      if (step.kind === 'done') {
        tell(context, step.added);
        return;
      }
      if (step.kind === 'failed') throw new ControlError(step.code, step.message);
      const pin = await instruct(context, step);
      view = await Promise.race([nextStep(context, user, view, pin), isInterrupted]);
    }
  } catch (error) {
    await client.cancelCeremony(user, view.id).catch(() => undefined);
    throw error;
  }
}

/** Waits for a step that differs from this one. */
async function nextStep(
  context: Context,
  user: string,
  before: CeremonyView,
  pin: string | undefined,
): Promise<CeremonyView> {
  let view = await context.client().nextStep(user, before, pin);
  while (view.step.number === before.step.number) view = await context.client().nextStep(user, before);
  return view;
}

/** @returns the PIN if the key requires it */
async function instruct({ output, prompt }: Context, step: CeremonyStep): Promise<string | undefined> {
  switch (step.kind) {
    case 'insert':
      output.note('Plug in the security key.');
      return undefined;
    case 'touch':
      output.note('Touch the security key.');
      return undefined;
    case 'pin': {
      const left =
        step.retries === undefined ? '' : ` ${pluralise(step.retries, 'attempt')} left before the key locks.`;
      if (step.why === 'wrong') output.note(`Incorrect PIN.${left}`);
      else if (left !== '') output.note(left.trim());
      const typed = await prompt.askSecret('PIN of the security key: ');
      return needed(typed || undefined, 'the security key requires its PIN; pipe it in on standard input');
    }
    default:
      return undefined;
  }
}
