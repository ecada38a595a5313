import type { Command } from 'commander';
import type { KindWith } from '../../daemon/api/views.ts';
import type { Context } from '../lib/context.ts';
import { readKeyFile } from '../lib/ssh-key-file.ts';
import { mayAdd, nameIn, tell } from './enrol.ts';

interface SshSkOptions {
  readonly name?: string;
  readonly key: string;
}

type Kind = Exclude<KindWith<'publicKey'>, KindWith<'appId'>>;

export function addSshSkCommand(add: Command, kind: Kind, context: Context): void {
  add
    .command(`${kind} <user>`)
    .description('Register a FIDO SSH key (ssh-keygen -t ed25519-sk) that a rule accepts instead of a code')
    .requiredOption('--key <file>', 'The .pub file; "-": standard input')
    .option('--name <name>', 'Name of the key')
    .action((user: string, options: SshSkOptions) => addSshSk(context, kind, user, options));
}

async function addSshSk(context: Context, kind: Kind, user: string, options: SshSkOptions): Promise<void> {
  const publicKey = await readKeyFile(context, options.key, '--key');
  await mayAdd(context, user);
  const body = { kind, publicKey, verify: true, ...nameIn(options) } as const;
  tell(context, await context.client().addFactor(user, body));
}
