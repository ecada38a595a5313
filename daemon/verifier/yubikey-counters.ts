import type { FactorRecord } from '../factors/kinds.ts';
import type { YubikeyRecord } from '../factors/yubikey.ts';
import { aesKeyCounterName, publicIdCounterName } from '../factors/yubikey.ts';
import { storeError } from '../sealing/error.ts';
import type { Commit, Store, Versioned, YubikeyCounterRecord } from '../store/contract.ts';

/** Marks of YubiKeys by name, as a commit must name them. */
export type YubikeyCounters = ReadonlyMap<string, Versioned<YubikeyCounterRecord>>;

/** Factors whose marks other accounts may have moved, as they are now. */
export interface Marked {
  readonly factors: readonly FactorRecord[];
  readonly tokens: YubikeyCounters;
}

/**
 * YubiKeys that are enrolled for several accounts, under one public id or under several: what is spent of them
 * stands in records that all of them share.
 *
 * MUST hold: read before an answer is judged and named by the commit that accepts it, so that one press is
 * accepted once, for whichever account (design, rule 1); a mark that must be there and is not refuses.
 *
 * @throws store error record-damaged
 */
export async function withMarks(
  store: Pick<Store, 'token'>,
  factors: readonly FactorRecord[],
): Promise<Marked> {
  const tokens = new Map<string, Versioned<YubikeyCounterRecord>>();
  const marked: FactorRecord[] = [];
  for (const factor of factors) {
    if (factor.kind !== 'yubikey') {
      marked.push(factor);
      continue;
    }
    const marks = await marksIn(store, factor);
    for (const [name, token] of marks) tokens.set(name, token);
    marked.push(raised(factor, marks));
  }
  return { factors: marked, tokens };
}

/** The marks of one key, whatever the account knows of it. */
export async function marksIn(store: Pick<Store, 'token'>, factor: YubikeyRecord): Promise<YubikeyCounters> {
  const names = [
    publicIdCounterName(factor),
    ...(factor.validation === 'local' ? [aesKeyCounterName(factor)] : []),
  ];
  return new Map(await Promise.all(names.map(async (name) => [name, await store.token(name)] as const)));
}

/**
 * The factor under its marks.
 * @throws store error record-damaged: what the factor says it wrote, in one commit with itself, is not there
 */
export function raised(factor: YubikeyRecord, tokens: YubikeyCounters): YubikeyRecord {
  const byId = tokens.get(publicIdCounterName(factor))?.value;
  if (byId === undefined && factor.spent.length > 0) throw lost(factor);
  const spent = byId?.spent ?? [];
  if (factor.validation === 'cloud') return { ...factor, spent };
  const byKey = tokens.get(aesKeyCounterName(factor))?.value;
  if (byKey === undefined && factor.lastPress >= 0) throw lost(factor);
  return { ...factor, spent, lastPress: Math.max(factor.lastPress, byKey?.lastPress ?? -1) };
}

/** What the commit writes that accepts this factor, or adds it with a touch. */
export function markOf(factor: FactorRecord, tokens: YubikeyCounters): NonNullable<Commit['tokens']> {
  if (factor.kind !== 'yubikey' || factor.spent.length === 0) return [];
  const write = (token: string, lastPress: number, spent: readonly string[]) => {
    return { version: tokens.get(token)?.version ?? 0, write: { token, lastPress, spent } };
  };
  const byId = write(publicIdCounterName(factor), -1, factor.spent);
  return factor.validation === 'cloud'
    ? [byId]
    : [byId, write(aesKeyCounterName(factor), factor.lastPress, [])];
}

function lost({ name, publicId }: YubikeyRecord): Error {
  return storeError(
    'record-damaged',
    `The mark of the YubiKey "${name}" (${publicId}) is gone: what was spent of it is not known. It is refused; restore the store from a backup, or remove the key and add it with another AES key.`,
  );
}
