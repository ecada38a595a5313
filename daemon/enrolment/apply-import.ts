import type { AuditEvent } from '../audit/event.ts';
import type { Realm } from '../config/contract.ts';
import type { Importing, ImportTools } from '../factors/contract.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import { kindOf } from '../factors/kinds.ts';
import { codeOf, messageOf, SallyportError } from '../lib/errors.ts';
import type { LockState } from '../policy/contract.ts';
import { lockAt } from '../policy/lockout.ts';
import type { AccountRecord, Commit } from '../store/contract.ts';
import { changeEvent } from '../verifier/events.ts';
import type { YubikeyCounters } from '../verifier/yubikey-counters.ts';
import { refuseKind, refuseOneMore } from './enrolment.ts';
import { fittingName } from './factor-name.ts';
import type { ImportEntry, ImportedAccount, ImportedFactor, PortableFactor } from './import-export-types.ts';

/** What an account's record becomes, and what is reported of it. */
export interface TakenOver {
  readonly record: AccountRecord;
  readonly events: readonly AuditEvent[];
  readonly tokens: NonNullable<Commit['tokens']>;
  readonly said: ImportedAccount;
}

export interface TakeOverOptions {
  readonly entry: ImportEntry;
  readonly record: AccountRecord;
  readonly realm: Realm;
  readonly setting: ImportTools;
  /** Of the YubiKeys in the entry. */
  readonly tokens: YubikeyCounters;
  readonly actor: string;
  readonly source: string;
}

/**
 * Applies the factors of another system to an account's record. Pure.
 *
 * Invariants:
 * - what was used there is used here: last-used counters come with the factor, and a factor that exists here only
 *   ever gets a higher one;
 * - an existing factor is never overwritten, and one seed or key never exists twice;
 * - an import cannot add what the realm forbids (R8);
 * - scratch codes come with the secret beside them and never after it: those used here would be valid again;
 * - a lock comes only with new factors: one that was cleared here does not return when the file is read again;
 * - repeating an import changes nothing.
 */
export function applyImport(options: TakeOverOptions): TakenOver {
  const { entry, realm, actor, source } = options;
  const { account } = options.record;
  const { now } = options.setting;
  let factors = options.record.factors;
  const said: ImportedFactor[] = [];
  const events: AuditEvent[] = [];
  const tokens = new Map<string, NonNullable<Commit['tokens']>[number]>();
  for (const moved of entry.factors) {
    const one = takeOne(moved, factors, options);
    said.push(one.said);
    if (one.factor === undefined) continue;
    const { factor } = one;
    const isNew = !factors.some(({ id }) => id === factor.id);
    factors = isNew ? [...factors, factor] : factors.map((old) => (old.id === factor.id ? factor : old));
    for (const token of one.tokens ?? []) tokens.set(token.write.token, token);
    const reason = isNew ? source : 'counter-raised';
    events.push(
      changeEvent('imported', {
        outcome: 'done',
        reason,
        account,
        at: now,
        actor,
        realm: realm.name,
        factor,
      }),
    );
  }
  const isAdded = said.some(({ outcome }) => outcome === 'added');
  const lock = isAdded ? locked(options.record.lock, entry.lock, realm, now) : options.record.lock;
  return {
    record: { ...options.record, factors, lock, grants: [] },
    events,
    tokens: [...tokens.values()],
    said: { account, factors: said, outcome: outcomeOf(said), locked: lock !== options.record.lock },
  };
}

function outcomeOf(said: readonly ImportedFactor[]): ImportedAccount['outcome'] {
  if (said.some(({ outcome }) => outcome === 'added' || outcome === 'raised')) return 'added';
  return said.length > 0 && said.every(({ outcome }) => outcome === 'refused') ? 'refused' : 'unchanged';
}

/** A record that is to be stored, and the counters of its key. */
interface Changed {
  readonly factor: FactorRecord;
  readonly tokens: NonNullable<Commit['tokens']>;
}

/** `factor`: new, or with a higher last-used counter. */
interface Taken extends Partial<Changed> {
  readonly said: ImportedFactor;
}

/**
 * The lock of the other system, unless it is locked here already. `until` is limited to the realm's lock duration.
 */
function locked(lock: LockState, moved: ImportEntry['lock'], { lockout }: Realm, now: number): LockState {
  const current = lockAt(lock, lockout, now);
  const locksCodes = moved?.codes === true && current.codesLockedAt === undefined;
  const locksAll = moved?.until !== undefined && moved.until > now && current.lockedAt === undefined;
  if (!locksCodes && !locksAll) return lock;
  const lockedAt = Math.max(0, Math.min(now, (moved.until ?? 0) - lockout.forMs));
  return { ...current, ...(locksCodes && { codesLockedAt: now }), ...(locksAll && { lockedAt }) };
}

function takeOne(
  moved: PortableFactor,
  kept: readonly FactorRecord[],
  { entry, record, realm, setting, tokens }: TakeOverOptions,
): Taken {
  const { kind } = moved;
  const wanted = { kind, ...(moved.name === undefined ? {} : { name: moved.name }) };
  try {
    const importing = importingOf(moved);
    const old = sameAs(moved, kept);
    if (old !== undefined) {
      const raised = importing.raise(moved, old, setting);
      const outcome = raised === undefined ? 'unchanged' : 'raised';
      return { ...(raised && underCounters(raised, tokens)), said: { kind, name: old.name, outcome } };
    }
    // The secret that the codes belong to exists here: the file does not know which of them were used here.
    if (entry.factors.some((other) => importing.comesWith?.(other) === true && sameAs(other, record.factors)))
      return { said: { kind, name: moved.name ?? '', outcome: 'unchanged' } };
    refuseKind(moved, realm);
    refuseOneMore(kept);
    const base = {
      id: setting.randomness.bytes(6).toString('hex'),
      name: fittingName(wanted, kept),
      created: Math.min(moved.created ?? setting.now, setting.now),
      enabled: moved.enabled,
    };
    const made = importing.take(moved, base, realm, setting);
    return { ...underCounters(made, tokens), said: { kind, name: base.name, outcome: 'added' } };
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    const name = moved.name ?? '';
    return { said: { kind, name, outcome: 'refused', code: codeOf(error), message: messageOf(error) } };
  }
}

/** @throws SallyportError `internal`: the schema takes no other kind */
export function importingOf(moved: PortableFactor): Importing<FactorRecord, PortableFactor> {
  const { importing } = kindOf(moved);
  if (importing === undefined)
    throw new SallyportError('internal', `internal error: no import of ${moved.kind}; please report this`);
  return importing;
}

/** The factor of the account that is the same one, whatever its name. */
function sameAs(moved: PortableFactor, kept: readonly FactorRecord[]): FactorRecord | undefined {
  return kept.find((factor) => importingOf(moved).same(moved, factor));
}

/** The counters that accounts share are never below what any of them says. */
function underCounters(factor: FactorRecord, tokens: YubikeyCounters): Changed {
  const { counters } = kindOf(factor);
  if (counters === undefined) return { factor, tokens: [] };
  const { record, written } = counters.imported(factor, (name) => tokens.get(name)?.value);
  return {
    factor: record,
    tokens: written.map(({ name: token, lastPress, spent }) => {
      return { version: tokens.get(token)?.version ?? 0, write: { token, lastPress, spent } };
    }),
  };
}
