import { limits } from '../limits.ts';
import type { Sealer } from '../sealing/seal.ts';
import type { AccountRecord, Versioned, YubikeyCounterRecord } from '../store/contract.ts';
import type { LevelDb } from '../store/leveldb/leveldb.ts';
import { splitChained } from '../store/sealed/chain.ts';
import { type MarkedRecord, openPair, readPairs } from '../store/sealed/reader.ts';
import { eventKey, eventRange, isTokenName, seqOf } from '../store/sealed/record-keys.ts';
import { decodeAccount, decodeToken } from '../store/sealed/records.ts';
import {
  mergeConservatively,
  mergeYubikeyCounter,
  type Noted,
  type Now,
  type Other,
} from './conservative-merge.ts';
import { metaIn, type StoreBuilder } from './store-builder.ts';

/** A store that is read. */
export interface Side {
  readonly db: LevelDb;
  readonly sealer: Sealer;
}

export interface Rebuild {
  /** What is brought back. */
  readonly from: Side;
  /** The store that it takes the place of, as far as it can be read. */
  readonly other?: Side & {
    readonly isNewest: boolean;
    readonly sameLine: boolean;
    /** The commit that `from` stood at. */
    readonly since: number;
  };
  /** Whose audit trail goes on. */
  readonly trail: Side;
  /** The records of `from` are known to be the newest: they stay as they are. */
  readonly isNewest: boolean;
  readonly into: StoreBuilder;
  /** Accounts whose lost records are given up: root has asked to reset them, without a factor. */
  readonly resetAccounts?: ReadonlySet<string>;
  readonly at: Now;
  readonly say: (noted: Noted) => void;
  readonly progress: (accounts: number) => void;
}

/**
 * Writes a new store out of one that is read, and out of the one that it replaces.
 *
 * Invariants:
 * - a record or marker that cannot be opened is never left out: its account is refused;
 * - memory is bounded whatever the number of accounts and events.
 *
 * @returns when codes of all apps are accepted again, in milliseconds since the epoch; undefined: none is held
 */
export async function rebuild(given: Rebuild): Promise<number | undefined> {
  let heldUntil: number | undefined;
  const job: Job = {
    ...given,
    held: (until) => {
      heldUntil = Math.max(heldUntil ?? 0, until);
    },
  };
  const others = job.other === undefined ? noPairs() : pairsOf(job.other.db);
  let theirs = await others.next();
  for await (const ours of pairsOf(job.from.db)) {
    while (theirs.value !== undefined && theirs.value.name.compare(ours.name) < 0) {
      await onlyTheirs(job, theirs.value);
      theirs = await others.next();
    }
    const same = theirs.value?.name.equals(ours.name) === true ? theirs.value : undefined;
    await bring(job, ours, same);
    if (same !== undefined) theirs = await others.next();
    job.progress(job.into.accounts);
  }
  for (; theirs.value !== undefined; theirs = await others.next()) await onlyTheirs(job, theirs.value);
  await copyTrail(job);
  return heldUntil;
}

interface Job extends Rebuild {
  readonly held: (until: number) => void;
}

/** @returns the record that is stored */
function made(job: Job, record: AccountRecord, other: Other): AccountRecord {
  const { notes, heldUntil, record: careful } = mergeConservatively(record, other, job.at);
  for (const noted of notes) job.say(noted);
  if (heldUntil !== undefined) job.held(heldUntil);
  return careful;
}

type NamedPair = MarkedRecord & { readonly name: Buffer };

async function* noPairs(): AsyncGenerator<NamedPair, undefined> {}

async function* pairsOf(db: LevelDb): AsyncGenerator<NamedPair, undefined> {
  const snapshot = db.snapshot();
  try {
    for (let after: Buffer | undefined; ; ) {
      const page = await readPairs(db, { after, limit: limits.scrubBatch, snapshot });
      yield* page;
      after = page.at(-1)?.name;
      if (after === undefined) return;
    }
  } finally {
    if (db.status === 'open') await snapshot.close();
  }
}

/** @returns undefined if it cannot be decrypted; value undefined if it does not exist */
function read<T>(
  { sealer }: Side,
  pair: MarkedRecord,
  decode: (plaintext: Buffer, name: string) => T,
): Versioned<T> | undefined {
  try {
    return openPair(sealer, pair, decode);
  } catch {
    return undefined;
  }
}

async function bring(job: Job, ours: NamedPair, theirs: NamedPair | undefined): Promise<void> {
  const { from, other, into } = job;
  if (isTokenName(ours.account)) {
    const token = read<YubikeyCounterRecord>(from, ours, decodeToken)?.value;
    const same = other && theirs ? read<YubikeyCounterRecord>(other, theirs, decodeToken)?.value : undefined;
    if (token !== undefined) await into.token(mergeYubikeyCounter(token, same));
    else if (same !== undefined && other?.isNewest === true && other.sameLine) await into.token(same);
    else await into.refused(ours.account);
    return;
  }
  const { account } = ours;
  const record = read(from, ours, decodeAccount)?.value;
  const known = otherOf(job, theirs);
  if (record !== undefined) {
    await put(job, record, known);
  } else if (known.kind === 'newest') {
    job.say({ account, note: 'record-from-store' });
    await put(job, known.record, known);
  } else await lost(job, account);
}

async function lost({ resetAccounts, say, into }: Rebuild, account: string): Promise<void> {
  const isGivenUp = resetAccounts?.has(account) === true;
  say({ account, note: isGivenUp ? 'given-up' : 'record-lost' });
  if (!isGivenUp) await into.refused(account);
}

function otherOf(job: Rebuild, theirs: NamedPair | undefined): Other {
  const { other } = job;
  if (other === undefined) return { kind: 'unknown' };
  if (theirs === undefined) return { kind: other.isNewest && other.sameLine ? 'removed' : 'unknown' };
  const found = read(other, theirs, decodeAccount);
  if (found?.value === undefined) return { kind: 'unknown' };
  const known = found.value;
  if (!other.isNewest)
    return { kind: 'some', since: other.sameLine && found.version > other.since, record: known };
  return { kind: other.sameLine ? 'newest' : 'beside', record: known };
}

async function put(job: Job, record: AccountRecord, other: Other): Promise<void> {
  if (job.isNewest) {
    await job.into.account(record);
    return;
  }
  await job.into.account(made(job, record, other));
}

/**
 * Since the backup was taken: what is newer stays, and so does what another line has. MUST hold: only what the
 * backup is known to be newer than is left out, since an account without its record is asked for nothing.
 */
async function onlyTheirs(job: Job, pair: NamedPair): Promise<void> {
  const { other, into } = job;
  if (other === undefined) return;
  if (isTokenName(pair.account)) {
    const token = read<YubikeyCounterRecord>(other, pair, decodeToken)?.value;
    if (token !== undefined) await into.token(token);
    else await into.refused(pair.account);
    return;
  }
  const found = read(other, pair, decodeAccount);
  if (found?.value === undefined) {
    await lost(job, pair.account);
    return;
  }
  if (!other.isNewest && other.sameLine && found.version <= other.since) return;
  const record = found.value;
  for (const { kind, name } of record.factors)
    job.say({ account: record.account, note: 'added-since', factor: { kind, name } });
  const known: Other = other.isNewest ? { kind: 'newest', record } : { kind: 'unknown' };
  await into.account(made(job, record, known));
}

/**
 * Every event that can be opened, each gap, and one that says so for each that cannot. MUST hold: each stays as it
 * was, link and all, unless the key of its chain is lost, without which its link says nothing.
 */
async function copyTrail({ trail, into }: Rebuild): Promise<void> {
  const meta = await metaIn(trail);
  const from = meta === undefined ? eventRange.gte : eventKey(meta.first);
  let next = meta?.first;
  for await (const [key, value] of trail.db.iterator({ gte: from, lt: eventRange.lt, fillCache: false })) {
    const seq = seqOf(key);
    for (next ??= seq; next < seq; next += 1) await into.lostEvent(next);
    const opened = opening(trail, key, value);
    next = (opened?.gap?.to ?? seq) + 1;
    if (opened === undefined) await into.lostEvent(seq);
    else if (opened.gap !== undefined) await into.gap(seq, opened.gap, opened.plaintext, opened.version);
    else await into.event(seq, meta?.chain === undefined ? opened.json : opened.plaintext, opened.version);
  }
  if (meta === undefined) return;
  for (next ??= meta.first; next <= meta.last; next += 1) await into.lostEvent(next);
}

/** @returns undefined: it cannot be opened */
function opening({ sealer }: Side, key: Buffer, value: Buffer): Opened | undefined {
  try {
    const { plaintext, version } = sealer.open('audit', key, value);
    return { plaintext, version, ...splitChained(plaintext) };
  } catch {
    return undefined;
  }
}

type Opened = ReturnType<typeof splitChained> & { readonly plaintext: Buffer; readonly version: number };
