import type { Command } from 'commander';
import type { StatusView } from '../../daemon/api/views.ts';
import type { Context } from '../lib/context.ts';
import { statusTimes } from '../lib/json-times.ts';
import type { Output } from '../lib/output.ts';
import { warnRunningTrial } from '../pam/trial.ts';

export function addStatus(program: Command, context: Context): void {
  program
    .command('status')
    .description('Show daemon, store and configuration status')
    .option('--json', 'Print JSON')
    .action(async (options: { json?: boolean }) => {
      const status = await context.client().status();
      if (options.json === true) context.output.json(status, statusTimes);
      else show(context.output, status);
    });
}

function keysOf({ keys }: StatusView): string {
  if (keys === undefined) return '';
  const { ids, current, rotation } = keys;
  if (rotation.kind !== 'running') return ids.join(', ');
  return `${ids.join(', ')}; re-encrypting with ${current}: ${rotation.read} of ${rotation.total}`;
}

function presenceText({ presence }: StatusView, which: 'gone' | 'another'): string {
  switch (presence.state) {
    case 'complete':
      return String(presence[which]);
    case 'counting':
      return `${presence[which]} or more: not all accounts have been looked up yet`;
    case 'unavailable':
      return 'unknown: the name service is unavailable';
  }
}

function show(output: Output, status: StatusView): void {
  const { store, config } = status;
  for (const warning of status.warnings) output.warn(warning);
  warnRunningTrial(output);
  output.facts([
    ['version', status.version],
    ['pid', String(status.pid)],
    ['started', output.time(status.started)],
    ['config', config.file],
    ['config loaded', output.time(config.loaded)],
    ['realms', String(config.realms)],
    ['relying party', status.securityKeys.rpId ?? 'none: security keys cannot be added'],
    ['keys asked by', status.securityKeys.askedBy],
    ['store', store.state],
    ['accounts', String(store.accounts)],
    ['commit', String(store.commit)],
    ['anchor', String(store.anchorCommit)],
    ['master keys', keysOf(status)],
    [
      'audit events',
      store.events.last < store.events.first ? '' : `${store.events.first} to ${store.events.last}`,
    ],
    ['last scrub', store.scrub.lastFinished === undefined ? '' : output.time(store.scrub.lastFinished)],
    ['scrub findings', String(store.scrub.findings.length)],
    ['realms in observe mode', status.observing.join(',')],
    ['exempt accounts', `${status.exemptions.running}${status.exemptions.complete ? '' : ' or more'}`],
    ['accounts gone', presenceText(status, 'gone')],
    ['records of another uid', presenceText(status, 'another')],
    ['accounts looked up', status.presence.state === 'complete' ? output.time(status.presence.at) : ''],
    ['warnings', String(status.warnings.length)],
  ]);
}
