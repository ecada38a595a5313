import { storeError } from '../../sealing/error.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { DropCount } from '../contract.ts';
import type { ChainState } from './chain.ts';
import { metaKey } from './record-keys.ts';

/** The store's meta record; sealed, and rewritten with every change. */
export interface Meta {
  /** Random, 32 hex digits: identifies this store. */
  readonly storeId: string;
  /** The number of the last commit; it is the version of the record. */
  readonly commit: number;
  readonly accounts: number;
  /** First and last sequence number in the audit trail; last = first - 1: the trail is empty. */
  readonly first: number;
  readonly last: number;
  /** Absent: no event was written since chains were introduced. */
  readonly chain?: ChainState;
  /** Size of the trail in bytes, keys included; absent: as above. */
  readonly eventBytes?: number;
  /** Positions between first and last that lie in gaps. */
  readonly inGaps?: number;
  /** Number and size of the events that are beyond the share of their account. */
  readonly overShare?: { readonly count: number; readonly bytes: number };
  /** Total of all dropped events. */
  readonly dropped?: DropCount;
}

/** Number of events in the trail. */
export function heldEvents({ first, last, inGaps = 0 }: Meta): number {
  return last - first + 1 - inGaps;
}

/** Estimated size of an event of a version that did not count sizes; the estimate is dropped with the event. */
const BYTES_OF_AN_EVENT = 320;

/** Size of the trail in bytes. */
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
