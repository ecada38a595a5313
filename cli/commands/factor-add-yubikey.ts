import type { Command } from 'commander';
import { readPublicId, readYubikeyHex } from '../../daemon/client/factor-input.ts';
import type { Context } from '../lib/context.ts';
import { CliError } from '../lib/errors.ts';
import { type Asked, enrol, mayAdd, nameIn, secretFrom } from './enrol.ts';

interface YubikeyOptions {
  readonly name?: string;
  readonly local?: boolean;
  readonly publicId?: string;
  readonly privateId?: string;
  readonly aesKey?: string;
  readonly verify: boolean;
}
const touch: Asked = {
  question: 'Touch the YubiKey: ',
  missing: 'there is nothing on standard input; pipe in what the YubiKey types',
};

export function addFactorAddYubikey(add: Command, context: Context): void {
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
}

async function addYubikey(context: Context, user: string, options: YubikeyOptions): Promise<void> {
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
  const ids = {
    publicId: readPublicId(publicId),
    privateId: readYubikeyHex(privateId, 'privateId').toString('base64'),
  };
  await mayAdd(context, user);
  const typed = await secretFrom(context, aesKey, {
    what: 'AES key',
    option: '--aes-key',
    form: 'hex',
    instead: '',
  });
  const secret = readYubikeyHex(typed, 'aesKey').toString('base64');
  const body = { kind: 'yubikey', validation: 'local', ...ids, secret, ...nameIn(options) } as const;
  await enrol(context, user, options.verify, (proof) => ({ ...body, ...proof }), touch);
}
