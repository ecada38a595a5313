import { canonicalAddress, contains, parseNetwork } from '../lib/network.ts';
import type { AuditEvent, AuditKind, AuditOutcome } from './event.ts';

/** Which events are wanted; what is left out is not asked about. */
export interface EventFilter {
  /** Canonical name. */
  readonly user?: string;
  readonly realm?: string;
  readonly service?: string;
  /** An address, a network, or a name as PAM_RHOST said it. */
  readonly source?: string;
  readonly outcome?: AuditOutcome;
  readonly kind?: AuditKind;
}

/** Whether an event is wanted. Made once for a search. */
export function fitting(filter: EventFilter): (event: AuditEvent) => boolean {
  const { user, realm, service, source, outcome, kind } = filter;
  const isFrom = source === undefined ? undefined : comesFrom(source);
  return (event) =>
    (user === undefined || event.account === user) &&
    (realm === undefined || event.realm === realm) &&
    (service === undefined || event.service === service) &&
    (outcome === undefined || event.outcome === outcome) &&
    (kind === undefined || event.kind === kind) &&
    (isFrom === undefined || (event.source !== undefined && isFrom(event.source)));
}

function comesFrom(wanted: string): (source: string) => boolean {
  const read = parseNetwork(wanted);
  if (read.ok) return (source) => contains(read.network, source);
  const address = canonicalAddress(wanted);
  const name = wanted.toLowerCase();
  return (source) => source === address || source.toLowerCase() === name;
}

/**
 * The event without its data on a future code: an attacker who guessed that code could wait for its time. For all
 * readers that may be the attacker.
 */
export function withoutCodeToCome<E extends AuditEvent>(event: E): E {
  if (event.offset === undefined || event.offset <= 0) return event;
  const { offset: _, ...rest } = event;
  return rest as E;
}
