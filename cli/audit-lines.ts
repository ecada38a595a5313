import type { StoredAuditEvent } from '../daemon/control/views.ts';
import { offsetText } from '../daemon/lib/clock-offset.ts';
import type { Output } from './output.ts';
import { printable } from './text.ts';
import { plainTime } from './time.ts';

/** Events as they are printed, however many: JSON lines, columns for scripts, or a table on a terminal. */
export interface AuditLines {
  print(events: readonly StoredAuditEvent[]): void;
}

const heading = ['TIME', 'ACCOUNT', 'WHAT', 'WHY', 'REALM', 'SERVICE', 'FROM', 'FACTOR', 'BY'] as const;

export function createAuditLines(output: Output, json: boolean): AuditLines {
  // Of the first rows: what comes later may be wider, and nothing that was printed can be moved.
  let widths: readonly number[] | undefined;
  const row = (cells: readonly string[]) =>
    output.line(
      cells
        .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths?.[column] ?? 0) - lengthOf(cell))))
        .join('  ')
        .trimEnd(),
    );
  return {
    print(events) {
      if (json) {
        for (const event of events) output.jsonLine(event);
        return;
      }
      if (!output.terminal) {
        output.table(
          [],
          events.map((event) => columns(output, event)),
        );
        return;
      }
      const rows = events.map((event) => cellsOf(event).map((cell) => printable(cell) || '-'));
      if (widths === undefined && rows.length > 0) {
        widths = heading.map((title, column) =>
          Math.max(title.length, ...rows.slice(0, 1_000).map((cells) => lengthOf(cells[column] ?? ''))),
        );
        row(heading);
      }
      for (const cells of rows) row(cells);
    },
  };
}

/** For scripts: they never change. */
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

/** For people: what belongs together stands together. */
function cellsOf(event: StoredAuditEvent): readonly string[] {
  const { factor, locked, left, offset, count } = event;
  const notes = [
    event.reason,
    ...(locked === undefined ? [] : [locked === 'codes' ? 'codes are locked now' : 'locked now']),
    ...(left === undefined ? [] : [`${left} left`]),
    ...(offset === undefined ? [] : [offsetText(offset)]),
    ...(count === undefined ? [] : [`${count} times`]),
  ];
  return [
    // Without how long ago that is: the rows are long.
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

function lengthOf(text: string): number {
  return [...text].length;
}
