import type { Command } from 'commander';
import type { KindWith } from '../../daemon/api/views.ts';
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
  missing: 'no OTP on standard input; pipe in what the YubiKey types',
};

type Kind = KindWith<'validation'>;

export function addYubikeyCommand(add: Command, kind: Kind, context: Context): void {
  add
    .command(`${kind} <user>`)
    .description('Enrol a YubiKey that types one-time passwords (OTP slot) with one touch')
    .option('--name <name>', 'Name of the YubiKey')
    .option(
      '--local',
      'Validate on this machine with the AES key of the YubiKey, not by the servers of the realm',
    )
    .option('--public-id <modhex>', 'Public identity that the YubiKey types first, 2 to 16 characters')
    .option('--private-id <hex>', 'Private identity, 12 hex digits')
    .option('--aes-key <hex>', 'AES key, 32 hex digits; "-": prompt, or read standard input')
    .option('--no-verify', 'Skip verification (root only)')
    .action((user: string, options: YubikeyOptions) => addYubikey(context, kind, user, options));
}

async function addYubikey(
  context: Context,
  kind: Kind,
  user: string,
  options: YubikeyOptions,
): Promise<void> {
  if (options.local !== true) {
    if (!options.verify || [options.publicId, options.privateId, options.aesKey].some((given) => given))
      throw new CliError('usage', '--public-id, --private-id, --aes-key and --no-verify require --local');
    await mayAdd(context, user);
    const body = { kind, validation: 'cloud', ...nameIn(options) } as const;
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
  const body = { kind, validation: 'local', ...ids, secret, ...nameIn(options) } as const;
  await enrol(context, user, options.verify, (proof) => ({ ...body, ...proof }), touch);
}
