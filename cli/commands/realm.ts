import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Realm } from '../../daemon/api/views.ts';
import { formatDuration, pluralise } from '../../daemon/lib/units.ts';
import type { Context } from '../lib/context.ts';
import { runDaemon } from '../lib/environment.ts';
import { exitStatus } from '../lib/errors.ts';
import { realmTimes } from '../lib/json-times.ts';
import type { Output } from '../lib/output.ts';
import { type ConfigLookedAt, warnOfConfig } from './reload.ts';

export function addRealm(program: Command, context: Context): void {
  const realm = program.command('realm').description('Show and validate realms');
  realm
    .command('list')
    .description('List active realms in order of precedence')
    .option('--json', 'Print JSON')
    .action(async (options: { json?: boolean }) => {
      const realms = await context.client().realms();
      if (options.json === true) context.output.json({ realms }, { realms: realmTimes });
      else
        context.output.table(
          ['REALM', 'LINE', 'REQUIRES', 'ENROL', 'RULES', 'MEMBERS'],
          realms.map((one) => [
            one.name,
            String(one.line),
            required(one),
            one.enrol,
            String(one.rules.length),
            membersOf(one),
          ]),
        );
    });
  realm
    .command('show <realm>')
    .description('Show a realm and its rules')
    .option('--json', 'Print JSON')
    .action(async (name: string, options: { json?: boolean }) => {
      const found = await context.client().realm(name);
      if (options.json === true) context.output.json(found, realmTimes);
      else context.output.facts([...factsOf(found, (at) => context.output.time(at)), ...rulesOf(found)]);
    });
  realm
    .command('check [file]')
    .description('Validate a configuration and compare it with this machine, without changing anything')
    .action(async (file: string | undefined) => {
      const path = resolve(file ?? context.configFile());
      const status = await runDaemon(context.world, ['--check', '--config', path], 'ignore');
      context.end(status);
      if (status === exitStatus.done) context.output.line(checkText(path, await warnOfConfig(context, path)));
    });
}

/** What a file is once it has been read: its warnings are counted in the line that calls it valid. */
function checkText(path: string, { realms, findings, refusing }: ConfigLookedAt): string {
  const bad = findings.filter(({ severity }) => severity !== 'ok').length;
  const warnings = bad === 0 ? '' : `, ${pluralise(bad, 'warning')}`;
  const cost = refusing.length === 0 ? '' : ': it would refuse logins';
  return `${path}: valid, ${pluralise(realms, 'realm')}${warnings}${cost}`;
}

function required({ require }: Realm): string {
  return typeof require === 'string' ? require : require.join(',');
}

function membersOf({ members }: Realm): string {
  if (members === undefined) return 'all other accounts';
  return [
    ...members.users.map((user) => `user:${user}`),
    ...members.groups.map((group) => `group:${group}`),
    ...members.domains.map((domain) => `domain:${domain}`),
    ...members.uids.map(({ first, last }) => `uid:${first === last ? first : `${first}-${last}`}`),
  ].join(' ');
}

function factsOf(realm: Realm, time: Output['time']): readonly (readonly [string, string])[] {
  const { totp, lockout } = realm;
  return [
    ['realm', realm.name],
    ['line', String(realm.line)],
    ['members', membersOf(realm)],
    ['requires', required(realm)],
    ['enrol', realm.enrol],
    ['grace', graceOf(realm, time)],
    ['totp', `${totp.digits} digits, ${totp.period} s, ${totp.algorithm}, skew ${totp.skew}`],
    ['yubikey', yubikeyOf(realm)],
    ['webauthn', webauthnOf(realm)],
    [
      'lockout',
      `${pluralise(lockout.codes, 'code')}, ${lockout.any} in all, for ${formatDuration(lockout.forMs)}`,
    ],
    ['su', realm.su],
    ['observe mode', realm.observe ? 'yes' : 'no'],
  ];
}

function yubikeyOf({ yubikey }: Realm): string {
  const { validation, servers } = yubikey;
  const how = { local: 'validated only on this machine', cloud: 'validated only by servers' };
  const by = servers === undefined ? '' : `client ${servers.clientId} of ${servers.urls.join(', ')}`;
  return [...(validation === undefined ? [] : [how[validation]]), ...(by === '' ? [] : [by])].join('; ');
}

function webauthnOf({ webauthn }: Realm): string {
  const { userVerification, residentKey, models } = webauthn;
  const resident = residentKey ? '; resident' : '';
  const which = models === undefined ? '' : `; models ${models.aaguids.join(', ')} by ${models.metadataFile}`;
  return `user verification ${userVerification}${resident}${which}`;
}

function graceOf({ graceMs, graceUntil }: Realm, time: Output['time']): string {
  if (graceMs !== undefined) return `${formatDuration(graceMs)} from the first login`;
  return graceUntil === undefined ? '' : `until ${time(graceUntil)}`;
}

function rulesOf(realm: Realm): readonly (readonly [string, string])[] {
  return realm.rules.map(({ line, services, from, action }) => {
    const what = actionOf(action);
    const where = from?.map((source) =>
      source.kind === 'local' ? 'local' : `${source.address}/${source.prefix}`,
    );
    const condition = `services ${services?.join(',') ?? 'all'}, from ${where?.join(',') ?? 'anywhere'}`;
    return ['rule', `line ${line}: ${what} (${condition})`];
  });
}

function actionOf(action: Realm['rules'][number]['action']): string {
  if (action.kind === 'remember') return `remember for ${formatDuration(action.forMs)}`;
  return action.kind === 'accept' ? `accept ${action.factor}` : action.kind;
}
