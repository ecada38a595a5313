/**
 * Names that events had when they were stored. An event stays on the disk as it was written: its chain hash covers
 * those bytes. It is read under the names of today.
 */
const kinds: ReadonlyMap<unknown, string> = new Map([['enrol', 'factor-added']]);

const reasons: ReadonlyMap<unknown, string> = new Map([
  ['no-shape', 'unknown-format'],
  ['none-fits', 'no-accepted-factor'],
  ['not-from-here', 'key-unavailable'],
  ['grace-over', 'grace-expired'],
  ['skip', 'rule-skip'],
  ['accept', 'ssh-key-accepted'],
  ['first-of-two', 'resync-required'],
  ['given', 'issued'],
  ['ended', 'revoked'],
  ['raised', 'counter-raised'],
]);

const scopes: ReadonlyMap<unknown, string> = new Map([['any', 'all']]);

const fields: ReadonlyMap<string, string> = new Map([
  ['proven', 'firstFactorVerified'],
  ['left', 'remaining'],
]);

const values: ReadonlyMap<string, ReadonlyMap<unknown, string>> = new Map([
  ['kind', kinds],
  ['reason', reasons],
  ['locked', scopes],
]);

/** A stored event, parsed and not yet checked, under the names of today. */
export function withCurrentNames(event: unknown): unknown {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) return event;
  return Object.fromEntries(
    Object.entries(event).map(([field, value]) => [
      fields.get(field) ?? field,
      values.get(field)?.get(value) ?? value,
    ]),
  );
}
