import { isIP } from 'node:net';
import type { AuditEvent } from './event.ts';

/**
 * One event as one line of text, for syslog, the journal and what reads them (docs/reference/audit-events.md, "Journal lines"):
 *
 *   sallyport-audit: login refused reason=wrong from=192.0.2.7 service="sshd" account="alice" … seq=42
 *
 * Invariants: what a user typed or a program claimed is quoted and contains only letters, digits and `@._:+,/-`; all
 * else is a byte as \xHH. So it makes no line, no field and no address that is not there. `from` is an address of a
 * program that root runs, or "-".
 */
export function formatJournalLine(event: AuditEvent & { readonly seq?: number }): string {
  const { kind, outcome, reason, source, factor, firstFactorVerified, remaining, offset, count, seq } = event;
  const address = believed(event);
  return [
    `sallyport-audit: ${word(kind)} ${word(outcome)} reason=${word(reason)} from=${address ?? '-'}`,
    quoted('service', event.service),
    quoted('account', event.account),
    quoted('host', event.host?.name),
    quoted('realm', event.realm),
    address === undefined ? quoted('rhost', source) : '',
    quoted('tty', event.tty),
    quoted('caller', event.caller),
    quoted('other', event.other),
    quoted('actor', event.actor),
    quoted('factor', factor?.kind),
    quoted('name', factor?.name),
    firstFactorVerified === undefined ? '' : `firstFactorVerified=${firstFactorVerified ? 'yes' : 'no'}`,
    event.would === undefined ? '' : `would=${word(event.would)}`,
    event.locked === undefined ? '' : `locked=${event.locked}`,
    remaining === undefined ? '' : `remaining=${remaining}`,
    offset === undefined ? '' : `offset=${offset}`,
    count === undefined ? '' : `count=${count}`,
    seq === undefined ? '' : `seq=${seq}`,
  ]
    .filter((part) => part !== '')
    .join(' ');
}

/** On pam-user.sock any local program may claim a `source`: no address is banned for it. */
function believed({ kind, actor, source }: AuditEvent): string | undefined {
  if (kind !== 'login' || actor !== undefined || source === undefined) return undefined;
  return isIP(source) !== 0 && !source.includes('%') ? source : undefined;
}

/** Codes of our own, but whatever they are they are one word. */
function word(text: string): string {
  return text.replace(/[^a-z0-9-]/g, '_');
}

function quoted(name: string, value: string | undefined): string {
  if (value === undefined || value === '') return '';
  return `${name}="${escaped(value)}"`;
}

function escaped(value: string): string {
  return value.replace(/[^A-Za-z0-9@._:+,/-]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''),
  );
}
