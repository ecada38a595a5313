import { type Command, InvalidArgumentError, Option } from 'commander';
import { ControlError } from '../../daemon/control/client.ts';
import { newSeed, type OtpauthToken, otpauthUri, readSeed, seedText } from '../../daemon/control/token.ts';
import type { EnrolBody, EnrolView, UserView } from '../../daemon/control/views.ts';
import { type Context, needed } from '../context.ts';
import { CliError } from '../errors.ts';
import { wholeNumber } from '../number.ts';
import { qrCode } from '../qr.ts';

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
  readonly counter: number;
}
interface YubikeyOptions {
  readonly name?: string;
  readonly local?: boolean;
  readonly publicId?: string;
  readonly privateId?: string;
  readonly aesKey?: string;
  readonly verify: boolean;
}
/** What shows that the new token works, or that none is asked for. */
type Proof = Pick<EnrolBody, 'verify' | 'code'>;

interface RecoveryOptions {
  readonly name?: string;
  readonly yes?: boolean;
}

/** How often a code may be typed. */
const tries = 3;

export function addFactorAdd(factor: Command, context: Context): void {
  const add = factor
    .command('add')
    .description('add a factor; keys go to standard output, all else to standard error');
  tokenOptions(add.command('totp <user>').description('codes that change with time (RFC 6238)'))
    .option(
      '--period <seconds>',
      'how long a code lasts, 15 to 300; by default the realm’s',
      wholeNumber(15, 300),
    )
    .action((user: string, options: TotpOptions) => addTotp(context, user, options));
  tokenOptions(add.command('hotp <user>').description('codes that change with use (RFC 4226)'))
    .option('--counter <n>', 'the next one that the token will show', wholeNumber(0, 2 ** 48), 0)
    .action((user: string, options: HotpOptions) => addHotp(context, user, options));
  add
    .command('yubikey <user>')
    .description('a YubiKey that types one-time passwords (slot OTP); one touch enrols it')
    .option('--name <name>', 'what the key is called')
    .option(
      '--local',
      'validated on this machine, with the AES key of the YubiKey; else by the servers of the realm',
    )
    .option('--public-id <modhex>', 'what the key types before each block, 2 to 16 symbols')
    .option('--private-id <hex>', '12 hex digits')
    .option('--aes-key <hex>', '32 hex digits; "-": ask for it, or read it from standard input')
    .option('--no-verify', 'without a touch; root alone')
    .action((user: string, options: YubikeyOptions) => addYubikey(context, user, options));
  add
    .command('recovery <user>')
    .description('ten single-use recovery keys, one a line; they end the set before them')
    .option('--name <name>', 'what the set is called')
    .option('--yes', 'do not ask before a set is replaced')
    .action((user: string, options: RecoveryOptions) => addRecovery(context, user, options));
}

function tokenOptions(command: Command): Command {
  return command
    .option('--name <name>', 'what the device is called: "pixel-7 authy"')
    .option(
      '--secret <base32>',
      'the secret of a token that exists; "-": ask for it, or read it from standard input',
    )
    .option('--digits <n>', '6, 7 or 8; by default the realm’s', digitsOf)
    .addOption(
      new Option('--algorithm <name>', 'by default the realm’s').choices(['sha1', 'sha256', 'sha512']),
    )
    .option('--issuer <name>', 'what the app shows beside the account')
    .option('--no-verify', 'without a current code; root alone');
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
      throw new InvalidArgumentError('It must be 6, 7 or 8.');
  }
}

async function addTotp(context: Context, user: string, options: TotpOptions): Promise<void> {
  const found = await mayAdd(context, user);
  const { digits, algorithm, period } = { ...found.defaults, ...defined(options) };
  const seed = await seedFor(context, options);
  const token = {
    issuer: options.issuer ?? found.defaults.issuer,
    account: found.account,
    seed,
    digits,
    algorithm,
  };
  show(context, { ...token, kind: 'totp', period });
  const secret = seed.toString('base64');
  await enrol(context, user, options.verify, (proof) => {
    return { kind: 'totp', secret, digits, algorithm, period, ...nameIn(options), ...proof };
  });
}

async function addHotp(context: Context, user: string, options: HotpOptions): Promise<void> {
  const found = await mayAdd(context, user);
  const { digits, algorithm } = { ...found.defaults, ...defined(options) };
  const { counter } = options;
  const seed = await seedFor(context, options);
  const token = {
    issuer: options.issuer ?? found.defaults.issuer,
    account: found.account,
    seed,
    digits,
    algorithm,
  };
  show(context, { ...token, kind: 'hotp', counter });
  const secret = seed.toString('base64');
  await enrol(context, user, options.verify, (proof) => {
    return { kind: 'hotp', secret, digits, algorithm, counter, ...nameIn(options), ...proof };
  });
}

async function addYubikey(context: Context, user: string, options: YubikeyOptions): Promise<void> {
  const touch = 'Touch the YubiKey: ';
  if (options.local !== true) {
    if (!options.verify || [options.publicId, options.privateId, options.aesKey].some((given) => given))
      throw new CliError(
        'usage',
        'ids, AES key and --no-verify are for a YubiKey that is validated here: say --local',
      );
    await mayAdd(context, user);
    const body = { kind: 'yubikey', validation: 'cloud', ...nameIn(options) } as const;
    await enrol(context, user, true, (proof) => ({ ...body, ...proof }), touch);
    return;
  }
  const { publicId, privateId, aesKey } = options;
  if (publicId === undefined || privateId === undefined || aesKey === undefined)
    throw new CliError('usage', '--local needs --public-id MODHEX --private-id HEX --aes-key -');
  if (!/^(?:[cbdefghijklnrtuv]{2}){1,8}$/i.test(publicId))
    throw new CliError(
      'usage',
      'the public id has 2 to 16 modhex symbols (cbdefghijklnrtuv); copy the whole of it',
    );
  const checkedId = hexBytes(privateId, 'the private id', 6);
  await mayAdd(context, user);
  const secret = hexBytes(await aesKeyFor(context, aesKey), 'the AES key', 16);
  const body = {
    kind: 'yubikey',
    validation: 'local',
    publicId: publicId.toLowerCase(),
    privateId: checkedId.toString('base64'),
    secret: secret.toString('base64'),
    ...nameIn(options),
  } as const;
  await enrol(context, user, options.verify, (proof) => ({ ...body, ...proof }), touch);
}

async function aesKeyFor(context: Context, given: string): Promise<string> {
  if (given !== '-') {
    context.output.warn(
      'an AES key on the command line is seen by every user of this machine (ps); use --aes-key -',
    );
    return given;
  }
  const typed = await context.prompt.askSecret('AES key (hex): ');
  return needed(typed, 'there is no AES key on standard input; pipe one in');
}

/** @throws CliError usage, without the digits in it: they may be a key */
function hexBytes(text: string, what: string, length: number): Buffer {
  const digits = text.replaceAll(/[\s:-]/g, '');
  if (/^[0-9a-f]*$/i.test(digits) && digits.length === 2 * length) return Buffer.from(digits, 'hex');
  throw new CliError('usage', `${what} has ${2 * length} hex digits; copy the whole of it`);
}

async function addRecovery(context: Context, user: string, options: RecoveryOptions): Promise<void> {
  const found = await mayAdd(context, user);
  const old = found.factors.find(({ kind }) => kind === 'recovery');
  const question = `${found.account} has a recovery set (${old?.detail ?? ''}), which a new one ends. Go on?`;
  await context.prompt.confirm(question, options.yes === true || old === undefined);
  const added = await context
    .client()
    .addFactor(user, { kind: 'recovery', verify: true, ...nameIn(options) });
  for (const key of added.recoveryKeys ?? []) context.output.line(key);
  context.output.note(
    'Each of these keys opens one login. They are shown this once: print them, or put them in a vault.',
  );
  tell(context, added);
}

/** Before anything secret is made and shown. @throws ControlError no-such-account, not-permitted */
async function mayAdd(context: Context, user: string): Promise<UserView> {
  const found = await context.client().user(user);
  if (found.mayAdd) return found;
  throw new ControlError('token-needed', 'adding a factor needs root for now; use sudo');
}

async function seedFor(context: Context, options: TokenOptions): Promise<Buffer> {
  if (options.secret === undefined) return newSeed();
  if (options.secret !== '-') {
    context.output.warn(
      'a secret on the command line is seen by every user of this machine (ps); use --secret -',
    );
    return readSeed(options.secret);
  }
  const typed = await context.prompt.askSecret('Secret (Base32): ');
  return readSeed(needed(typed, 'there is no secret on standard input; pipe one in, or leave --secret out'));
}

/** The keys on standard output, the drawing and the words on standard error. */
function show({ output, world }: Context, token: OtpauthToken): void {
  const uri = otpauthUri(token);
  const drawing = qrCode(uri, { colour: output.drawsColour, columns: world.error.columns || 80 });
  if (drawing === undefined)
    output.note('The terminal is too narrow for the QR code; type the secret in instead.');
  else output.draw(drawing);
  output.note(
    `Scan this with an authenticator app, or type in the secret, for ${token.issuer}:${token.account}.`,
  );
  output.line(uri);
  output.line(seedText(token.seed));
}

async function enrol(
  context: Context,
  user: string,
  verify: boolean,
  bodyWith: (proof: Proof) => EnrolBody,
  question = 'Code that the device shows now: ',
): Promise<void> {
  const send = (proof: Proof) => context.client().addFactor(user, bodyWith(proof));
  if (!verify) {
    tell(context, await send({ verify: false }));
    return;
  }
  for (let left = tries - 1; ; left -= 1) {
    const typed = await context.prompt.ask(question);
    const code = needed(
      typed?.trim() || undefined,
      question.startsWith('Touch')
        ? 'there is nothing on standard input; pipe in what the YubiKey types'
        : 'there is no code on standard input; pipe one in, or say --no-verify',
    );
    try {
      tell(context, await send({ verify: true, code }));
      return;
    } catch (error) {
      if (!(error instanceof ControlError) || error.code !== 'wrong-code' || left === 0) throw error;
      if (!context.prompt.interactive) throw error;
      context.output.note(`${error.message}. Try again.`);
    }
  }
}

function tell({ output }: Context, added: EnrolView): void {
  const { factor, account } = added;
  output.note(
    `${account} has a new factor: ${factor.kind} "${factor.name}" (${factor.id}), ${factor.detail}`,
  );
  for (const old of added.replaced) output.note(`"${old.name}" (${old.id}) is no longer good`);
}

function nameIn(options: { readonly name?: string }): { readonly name?: string } {
  return options.name === undefined ? {} : { name: options.name };
}

/** Without the options that were not given, so that they do not cover a default. */
function defined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
