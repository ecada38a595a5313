import { write } from 'node:fs';
import { withDeadline } from '../lib/deadline.ts';
import { limits } from '../limits.ts';
import type { StoredAuditEvent } from './event.ts';
import { formatJournalLine } from './journal-line.ts';

/** The events as lines, off the logins' path. */
export interface AuditJournal {
  note(event: StoredAuditEvent): void;
  /** Resolves once what waits is written, or after a while. */
  close(): Promise<void>;
}

/** A pipe takes so much at once without mixing it with what others write (pipe(7), PIPE_BUF). */
const mostAtOnce = 4_096;
const again = 50;
const farewell = 1_000;

/** syslog(3): notice and info. */
const priorityOf = ({ outcome }: StoredAuditEvent) =>
  outcome === 'refused' || outcome === 'error' ? '<5>' : '<6>';

/**
 * Invariants: a blocked journal delays no login, no stop and no crash, and uses bounded memory; dropped lines are
 * counted and reported; an error waits for no other line.
 *
 * @param descriptor that lines go to; @param journal whether lines begin with their priority (sd-daemon(3))
 */
export function createAuditJournal(descriptor: number, journal: boolean): AuditJournal {
  const waiting: StoredAuditEvent[] = [];
  let dropped = 0;
  let due: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;

  const line = (priority: string, text: string): string => `${journal ? priority : ''}${text}\n`;
  /** Lines are formatted here and not when events come, because a login waits for its subscribers. */
  const next = (): Buffer => {
    let text = '';
    for (let event = waiting[0]; event !== undefined; event = waiting[0]) {
      const more = line(priorityOf(event), formatJournalLine(event));
      if (text !== '' && text.length + more.length > mostAtOnce) break;
      waiting.shift();
      text += more;
    }
    if (dropped > 0 && waiting.length === 0) {
      text += line('<4>', `sallyport-audit: lines-dropped count=${dropped}`);
      dropped = 0;
    }
    return Buffer.from(text, 'latin1');
  };
  const writeAll = async (): Promise<void> => {
    while (waiting.length > 0) await written(descriptor, next());
    writing = undefined;
  };
  const start = (): void => {
    clearTimeout(due);
    due = undefined;
    if (waiting.length > 0) writing ??= writeAll();
  };

  return {
    note(event) {
      if (waiting.length >= limits.auditLines) {
        dropped += 1;
        return;
      }
      waiting.push(event);
      if (writing !== undefined) return;
      // An error may be the last that this process reports.
      if (event.outcome === 'error') setImmediate(start);
      else due ??= setTimeout(start, limits.journalGather);
    },
    close() {
      start();
      return withDeadline(writing ?? Promise.resolve(), farewell, () => undefined);
    },
  };
}

/** On a permanent error lines are dropped; on a temporary one they are offered again. */
async function written(descriptor: number, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const count = await new Promise<number>((resolve) => {
      write(descriptor, bytes, at, bytes.length - at, null, (error, length) => {
        if (error === null) resolve(length);
        else resolve(error.code === 'EAGAIN' ? 0 : bytes.length);
      });
    });
    at += count;
    if (count === 0) await new Promise((resolve) => setTimeout(resolve, again));
  }
}
