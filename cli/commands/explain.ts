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
    .description('what a login would meet, and the line of the configuration that says so')
    .requiredOption('--service <name>', 'the PAM service: sshd, sudo, su, login')
    .option('--from <ip>', 'the address, or with UseDNS of sshd the host name, that the login comes from')
    .option('--tty <name>', 'the terminal: tty1, pts/3')
    .option('--ssh-key <file>', 'the .pub file of the FIDO key that sshd has verified; "-": standard input')
    .option('--json', 'as JSON')
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

/** What the realm that decides names and this machine does not have. */
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
