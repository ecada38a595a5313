import { setBounded } from '../../lib/bounded-map.ts';
import { limits } from '../../limits.ts';
import type { AccountRecord, Versioned, YubikeyCounterRecord } from '../contract.ts';

export type StoredRecord = AccountRecord | YubikeyCounterRecord;

/** A read from disk that may become known. */
export interface Reading {
  readonly name: string;
  /** Nothing was written under the name since the read began. */
  isCurrent: boolean;
}

interface Known {
  readonly record: Versioned<StoredRecord>;
  /** When it was last read from disk, or created; monotonic. */
  readonly since: number;
}

/**
 * Records as the last durable commit left them, so that a login neither reads nor opens nor decodes its record twice,
 * and a commit compares versions without reading.
 *
 * Invariants:
 * - a known version is the version on disk: the store's lock makes this process its only writer, and each durable
 *   commit replaces or removes what it wrote before any caller receives its result;
 * - a read becomes known only if nothing was written under its name since it began;
 * - after a failed write, until the store was reopened, and once it is closed, nothing is known; damage that the scrub
 *   finds and new master keys remove everything;
 * - at most `limits.knownRecords` are known, each for at most `limits.knownRecordsFor` after it was read from disk: so
 *   long may damage to its entries remain unnoticed;
 * - records are frozen (`frozen`), since all callers share them.
 */
export class KnownRecords {
  readonly #known = new Map<string, Known>();
  readonly #readings = new Set<Reading>();
  readonly #monotonic: () => number;
  #stopped = false;
  #sweep: NodeJS.Timeout | undefined;

  /** @param monotonic milliseconds from an arbitrary start; never adjusted */
  constructor(monotonic: () => number = () => performance.now()) {
    this.#monotonic = monotonic;
  }

  get(name: string): Versioned<StoredRecord> | undefined {
    const known = this.#known.get(name);
    if (known === undefined || this.#isOld(known)) return undefined;
    return known.record;
  }

  /** To be called before a read from disk; `settle` must follow. */
  begin(name: string): Reading {
    const reading = { name, isCurrent: !this.#stopped };
    this.#readings.add(reading);
    return reading;
  }

  /** @param record absent: the read failed */
  settle(reading: Reading, record?: Versioned<StoredRecord>): void {
    this.#readings.delete(reading);
    if (record?.value === undefined || !reading.isCurrent) return;
    this.#put(reading.name, record, this.#monotonic());
  }

  /** Durably written. @param value undefined: removed, or not decoded here */
  written(name: string, version: number, value: StoredRecord | undefined): void {
    for (const reading of this.#readings) if (reading.name === name) reading.isCurrent = false;
    const since = this.#known.get(name)?.since ?? this.#monotonic();
    this.#known.delete(name);
    if (value !== undefined && !this.#stopped) this.#put(name, { value, version }, since);
  }

  clear(): void {
    for (const reading of this.#readings) reading.isCurrent = false;
    this.#known.clear();
  }

  stop(): void {
    this.#stopped = true;
    this.clear();
  }

  resume(): void {
    this.clear();
    this.#stopped = false;
  }

  #put(name: string, record: Versioned<StoredRecord>, since: number): void {
    setBounded(this.#known, name, { record: frozen(record), since }, limits.knownRecords);
    this.#sweep ??= setTimeout(() => this.#dropOld(), limits.knownRecordsFor).unref();
  }

  /** Secrets of accounts that log in no more must not remain in memory. */
  #dropOld(): void {
    for (const [name, known] of this.#known) if (this.#isOld(known)) this.#known.delete(name);
    this.#sweep = undefined;
    if (this.#known.size > 0) this.#sweep = setTimeout(() => this.#dropOld(), limits.knownRecordsFor).unref();
  }

  #isOld({ since }: Known): boolean {
    return this.#monotonic() - since >= limits.knownRecordsFor;
  }
}

/** Freezes a record in place, down to its last part. */
export function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) frozen(part);
  return value;
}
