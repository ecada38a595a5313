import type { Command } from 'commander';
import { type Finding, findingText } from '../doctor/contract.ts';
import type { Context } from '../lib/context.ts';
import { noTimes } from '../lib/json-times.ts';
import { readKeyFile } from '../lib/ssh-key-file.ts';

interface ExplainOptions {
  readonly service: string;
  readonly from?: string;
  readonly tty?: string;
  readonly sshKey?: string;
  readonly json?: boolean;
}

export function addExplain(program: Command, context: Context): void {
  program
    .command('explain <user>')
    .description('Show what a login would be asked for, and why')
    .requiredOption('--service <name>', 'PAM service: sshd, sudo, su, login')
    .option('--from <ip>', 'Source of the login: an address, or a host name if sshd has UseDNS')
    .option('--tty <name>', 'Terminal: tty1, pts/3')
    .option('--ssh-key <file>', 'The .pub file of a FIDO key that sshd verified; "-": standard input')
    .option('--json', 'Print JSON')
    .action(async (user: string, options: ExplainOptions) => {
      const { json, sshKey: file, ...query } = options;
      const used = file === undefined ? {} : { sshKey: await readKeyFile(context, file, '--ssh-key') };
      const explained = await context.client().explain(user, { ...query, ...used });
      const found = await foundInRealm(context, explained.realm);
      if (json === true) context.output.json({ ...explained, findings: found }, noTimes);
      else for (const line of explained.lines) context.output.prose(line);
      if (json !== true) for (const one of found) context.output.warn(findingText(one));
    });
}

/** Names in the deciding realm that do not exist on this machine. */
async function foundInRealm(context: Context, name: string): Promise<readonly Finding[]> {
  const { thisMachine } = await import('../doctor/machine.ts');
  const { lookAtRealm } = await import('../doctor/configured.ts');
  const { realmsOf } = await import('../doctor/realms.ts');
  const machine = thisMachine(context.world, context.configFile());
  const realms = (await realmsOf(machine)) ?? [];
  const index = realms.findIndex((realm) => realm.name === name);
  const realm = realms[index];
  if (realm === undefined) return [];
  const isObserved = realms.slice(index).every(({ observe }) => observe === true);
  return (await lookAtRealm(machine, realm, isObserved)).findings;
}
