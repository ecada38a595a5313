import { type Command, InvalidArgumentError, Option } from 'commander';
import { totpPeriod } from '../../daemon/api/bounds.ts';
import type { EnrolBody, KindAlone, KindWith, UserView } from '../../daemon/api/views.ts';
import { ControlError } from '../../daemon/client/client.ts';
import {
  groupedSeedText,
  newSeed,
  type OtpauthToken,
  otpauthUri,
  seedText,
} from '../../daemon/client/factor-input.ts';
import { ImportError } from '../import/contract.ts';
import { type GivenSecret, readSecret } from '../import/secret.ts';
import type { Context } from '../lib/context.ts';
import { CliError } from '../lib/errors.ts';
import { wholeNumber } from '../lib/option-values.ts';
import { scannable } from '../lib/qr-picture.ts';
import { enrol, mayAdd, mayAddThis, nameIn, type Proof, secretFrom, tell } from './enrol.ts';

type Digits = UserView['defaults']['digits'];
type Algorithm = UserView['defaults']['algorithm'];

interface TokenOptions {
  readonly name?: string;
  readonly secret?: string;
  readonly digits?: Digits;
  readonly algorithm?: Algorithm;
  readonly issuer?: string;
  readonly verify: boolean;
}
interface TotpOptions extends TokenOptions {
  readonly period?: number;
}
interface HotpOptions extends TokenOptions {
  readonly counter?: number;
}
interface RecoveryOptions {
  readonly name?: string;
  readonly yes?: boolean;
}

type TotpKind = KindWith<'period'>;
type HotpKind = KindWith<'counter'>;
type RecoveryKind = KindAlone<EnrolBody>;

export function addTotpCommand(add: Command, kind: TotpKind, context: Context): void {
  tokenOptions(add.command(`${kind} <user>`).description('Add time-based codes (RFC 6238)'))
    .option(
      '--period <seconds>',
      'Code period in seconds (15–300; default: the realm’s)',
      wholeNumber(totpPeriod.least, totpPeriod.most),
    )
    .action((user: string, options: TotpOptions) => addTotp(context, kind, user, options));
}

export function addHotpCommand(add: Command, kind: HotpKind, context: Context): void {
  tokenOptions(add.command(`${kind} <user>`).description('Add counter-based codes (RFC 4226)'))
    .option('--counter <n>', 'Next counter value (default: 0)', wholeNumber(0, 2 ** 48))
    .action((user: string, options: HotpOptions) => addHotp(context, kind, user, options));
}

export function addRecoveryCommand(add: Command, kind: RecoveryKind, context: Context): void {
  add
    .command(`${kind} <user>`)
    .description('Create ten recovery keys, replacing the current set')
    .option('--name <name>', 'Name of the set')
    .option('--yes', 'Replace a set without asking')
    .action((user: string, options: RecoveryOptions) => addRecovery(context, kind, user, options));
}

function tokenOptions(command: Command): Command {
  return command
    .option('--name <name>', 'Name of the device: "pixel-7 authy"')
    .option(
      '--secret <base32>',
      'Existing secret in Base32, or its otpauth:// URI; "-": prompt, or read standard input',
    )
    .option('--digits <n>', 'Code length: 6, 7 or 8 (default: the realm’s)', digitsOf)
    .addOption(
      new Option('--algorithm <name>', 'Hash algorithm (default: the realm’s)').choices([
        'sha1',
        'sha256',
        'sha512',
      ]),
    )
    .option('--issuer <name>', 'Name that the app shows beside the account')
    .option('--no-verify', 'Skip verification (root only)');
}

function digitsOf(text: string): Digits {
  switch (text) {
    case '6':
      return 6;
    case '7':
      return 7;
    case '8':
      return 8;
    default:
      throw new InvalidArgumentError('Expected 6, 7 or 8.');
  }
}

async function addTotp(context: Context, kind: TotpKind, user: string, options: TotpOptions): Promise<void> {
  const found = await mayAdd(context, user);
  const { seed, token: given } = await secretFor(context, options, kind, found.defaults.algorithm);
  const { digits, algorithm, period } = { ...found.defaults, ...given, ...defined(options) };
  const token = {
    issuer: options.issuer ?? found.defaults.issuer,
    account: found.account,
    seed,
    digits,
    algorithm,
  };
  const secret = seed.toString('base64');
  const bodyWith = (proof: Proof): EnrolBody => {
    return { kind, secret, digits, algorithm, period, ...nameIn(options), ...proof };
  };
  await mayAddThis(context, found, options.verify, bodyWith);
  show(context, { ...token, kind, period });
  await enrol(context, user, options.verify, bodyWith);
}

async function addHotp(context: Context, kind: HotpKind, user: string, options: HotpOptions): Promise<void> {
  const found = await mayAdd(context, user);
  const { seed, token: given } = await secretFor(context, options, kind, found.defaults.algorithm);
  const { digits, algorithm, counter } = { ...found.defaults, counter: 0, ...given, ...defined(options) };
  const token = {
    issuer: options.issuer ?? found.defaults.issuer,
    account: found.account,
    seed,
    digits,
    algorithm,
  };
  const secret = seed.toString('base64');
  const bodyWith = (proof: Proof): EnrolBody => {
    return { kind, secret, digits, algorithm, counter, ...nameIn(options), ...proof };
  };
  await mayAddThis(context, found, options.verify, bodyWith);
  show(context, { ...token, kind, counter });
  await enrol(context, user, options.verify, bodyWith);
}

async function addRecovery(
  context: Context,
  kind: RecoveryKind,
  user: string,
  options: RecoveryOptions,
): Promise<void> {
  const found = await mayAdd(context, user);
  const old = found.factors.find((other) => other.kind === kind);
  const question = `${found.account} has recovery keys (${old?.detail ?? ''}); the new set replaces them. Continue?`;
  await context.prompt.confirm(question, options.yes === true || old === undefined);
  const added = await context.client().addFactor(user, { kind, verify: true, ...nameIn(options) });
  for (const key of added.recoveryKeys ?? []) context.output.line(key);
  context.output.note(
    'Each key is valid for one login. They are shown only once: print them, or store them in a password manager.',
  );
  tell(context, added);
}

interface Settings {
  readonly digits?: Digits;
  readonly algorithm?: Algorithm;
  readonly period?: number;
  readonly counter?: number;
}

/** The secret and the settings in its URI; an option that contradicts the URI is an error. */
async function secretFor(
  context: Context,
  options: TokenOptions & Settings,
  kind: OtpauthToken['kind'],
  usual: Algorithm,
): Promise<{ readonly seed: Buffer; readonly token: Settings }> {
  if (options.secret === undefined) return { seed: newSeed(options.algorithm ?? usual), token: {} };
  const text = await secretFrom(context, options.secret, {
    what: 'secret',
    option: '--secret',
    form: 'Base32 or otpauth:// URI',
    instead: ', or omit --secret',
  });
  const given = readGiven(text);
  if (given.kind === 'seed') return { seed: given.seed, token: {} };
  const { token, seed } = given;
  if (token.kind !== kind)
    throw new CliError('usage', `this is the URI of a ${token.kind} factor; use: factor add ${token.kind}`);
  const { digits, algorithm } = token;
  const moving = 'period' in token ? { period: token.period } : { counter: token.counter };
  const settings: Settings = { digits, algorithm, ...moving };
  for (const name of ['digits', 'algorithm', 'period', 'counter'] as const)
    if (options[name] !== undefined && settings[name] !== undefined && options[name] !== settings[name])
      throw new CliError(
        'usage',
        `--${name} contradicts the URI, which has ${name} ${settings[name]}; omit --${name}`,
      );
  return { seed, token: settings };
}

function readGiven(text: string): GivenSecret {
  try {
    return readSecret(text);
  } catch (error) {
    if (error instanceof ImportError) throw new ControlError('bad-secret', error.message);
    throw error;
  }
}

/**
 * Prints keys to standard output, the QR code and texts to standard error. The URI comes first: on a small terminal it
 * is what scrolls out of sight.
 */
function show({ output, world }: Context, token: OtpauthToken): void {
  const { picture, sentence } = scannable(world, output, token);
  output.line(otpauthUri(token));
  if (picture !== undefined) output.draw(picture);
  output.note(sentence);
  output.prose(output.terminal ? groupedSeedText(token.seed) : seedText(token.seed));
}

/** Drops options that were not given, so that they do not override a default. */
function defined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
