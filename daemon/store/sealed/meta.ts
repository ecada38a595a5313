import { storeError } from '../../sealing/error.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { DropCount } from '../contract.ts';
import type { ChainState } from './chain.ts';
import { metaKey } from './record-keys.ts';

/** What the store says of itself; sealed, and written anew with every change. */
export interface Meta {
  /** Random, 32 hex digits: tells this store from every other. */
  readonly storeId: string;
  /** The number of the last commit; it is the version of the record. */
  readonly commit: number;
  readonly accounts: number;
  /** First and last event in the audit trail; last = first - 1: there is none. */
  readonly first: number;
  readonly last: number;
  /** Absent: no event was written since there are chains. */
  readonly chain?: ChainState;
  /** What the trail takes up, keys included; absent: as above. */
  readonly eventBytes?: number;
  /** Places between first and last that lie in gaps. */
  readonly inGaps?: number;
  /** Events that are beyond the share of their account, and what they take up. */
  readonly overShare?: { readonly count: number; readonly bytes: number };
  /** All that was ever dropped. */
  readonly dropped?: DropCount;
}

/** How many events the trail holds. */
export function heldEvents({ first, last, inGaps = 0 }: Meta): number {
  return last - first + 1 - inGaps;
}

/** What an event of a version that did not count took up, by a guess that is thrown away with it. */
const BYTES_OF_AN_EVENT = 320;

/** What the trail takes up. */
export function trailBytes(meta: Meta): number {
  return meta.last < meta.first ? 0 : (meta.eventBytes ?? heldEvents(meta) * BYTES_OF_AN_EVENT);
}

export function sealMeta(sealer: Sealer, meta: Meta): Buffer {
  const { commit, ...body } = meta;
  return sealer.seal('meta', metaKey, commit, Buffer.from(JSON.stringify(body)));
}

/** @throws store-key, store-schema, store-damaged */
export function openMeta(sealer: Sealer, envelope: Buffer): Meta {
  const { version, plaintext } = sealer.open('meta', metaKey, envelope);
  const body: unknown = JSON.parse(plaintext.toString());
  if (!isBody(body)) throw storeError('store-damaged', 'What the store says of itself makes no sense.');
  return { ...body, commit: version };
}

function isBody(body: unknown): body is Omit<Meta, 'commit'> {
  if (typeof body !== 'object' || body === null) return false;
  const {
    storeId,
    accounts,
    first,
    last,
    chain,
    eventBytes = 0,
    inGaps = 0,
  } = body as Partial<Record<string, unknown>>;
  const isChained = chain === undefined || (typeof chain === 'object' && chain !== null && 'head' in chain);
  return (
    typeof storeId === 'string' &&
    isChained &&
    [accounts, first, last, eventBytes, inGaps].every(Number.isSafeInteger)
  );
}
