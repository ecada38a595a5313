import type { StoredAuditEvent } from '../../daemon/api/views.ts';
import { offsetText } from '../../daemon/lib/units.ts';
import { eventTimes } from './json-times.ts';
import type { Output } from './output.ts';
import { plainTime } from './time.ts';

/** Prints events: JSON lines, columns for scripts, or a table on a terminal. */
export interface AuditLines {
  print(events: readonly StoredAuditEvent[]): void;
}

const heading = ['TIME', 'ACCOUNT', 'KIND', 'REASON', 'REALM', 'SERVICE', 'FROM', 'FACTOR', 'ACTOR'] as const;

export function createAuditLines(output: Output, json: boolean): AuditLines {
  const table = output.growingTable(heading);
  return {
    print(events) {
      if (json) for (const event of events) output.jsonLine(event, eventTimes);
      else if (events.length > 0)
        table.print(events.map((event) => (output.terminal ? cellsOf(event) : columns(output, event))));
    },
  };
}

/** The columns that scripts read: stable. */
function columns(output: Output, event: StoredAuditEvent): readonly string[] {
  const { factor } = event;
  return [
    output.time(event.at),
    String(event.seq),
    event.account,
    event.kind,
    event.outcome,
    event.reason,
    event.realm ?? '',
    event.service ?? '',
    event.source ?? event.tty ?? '',
    factor === undefined ? '' : `${factor.kind}:${factor.name}`,
    event.actor ?? '',
  ];
}

/** The columns of the table on a terminal, which combine fields. */
function cellsOf(event: StoredAuditEvent): readonly string[] {
  const { factor, locked, remaining, offset, count } = event;
  const notes = [
    event.reason,
    ...(locked === undefined ? [] : [locked === 'codes' ? 'codes locked' : 'account locked']),
    ...(remaining === undefined ? [] : [`${remaining} left`]),
    ...(offset === undefined ? [] : [offsetText(offset)]),
    ...(count === undefined ? [] : [`${count} times`]),
  ];
  return [
    // No relative time: the rows are long.
    plainTime(event.at),
    event.caller === undefined ? event.account : `${event.account} (${event.caller})`,
    `${event.kind} ${event.outcome}`,
    notes.join(', '),
    event.realm ?? '',
    event.service ?? '',
    event.source ?? event.tty ?? '',
    factor === undefined ? '' : `${factor.kind} "${factor.name}"`,
    event.actor ?? '',
  ];
}
