import { randomBytes } from 'node:crypto';
import * as v from 'valibot';
import { storeError } from '../../sealing/error.ts';
import { hmacOf } from '../../sealing/seal.ts';
import { type SegmentReason, segmentReasons } from '../contract.ts';

/**
 * The chain of audit events: each carries the hash of the previous one, so that removing, reordering, inserting
 * or changing events is detected even if every entry is validly sealed.
 *
 *   u8 form (1) | u8 reason, 0x80: beyond its share | 8 bytes daemon | u32 segment | 32 bytes link of the event before | the event, as JSON
 *
 * The chain hash of an event (`link`) is HMAC-SHA256 over its sequence number (u64) and all of the above. The key
 * belongs to the chain and is sealed in the store's meta record: a new master key changes no hash, and a hash
 * reveals nothing of its event.
 *
 * A gap replaces the first of a run of events that were dropped because they were beyond the share of their
 * account (trail-pruning.ts): u8 form (2) | JSON. The chain continues through it, from `before` to `link`.
 *
 * Invariants:
 * - event, head and sequence number change in one write, so that a crash leaves a whole chain;
 * - a segment never begins without a reason, and continues from the hash of the event before it.
 */
export interface ChainState {
  /** 16 hex digits: identifies the daemon that owns the chain. A fleet has one chain per daemon. */
  readonly daemon: string;
  /** Counts from 1. */
  readonly segment: number;
  /** Base64. */
  readonly key: string;
  /** Chain hash of the newest event, 64 hex digits; all zeros: no event has one. */
  readonly head: string;
  /** Chain hash of the event before the oldest kept one; absent: it has none, or could not be read. */
  readonly base?: string;
  /** The next event begins a segment, for this reason. */
  readonly begin?: SegmentReason;
}

/** Position of an event in the chain, as stored with the event. */
export interface ChainFields {
  readonly daemon: string;
  readonly segment: number;
  /** Chain hash of the previous event, 64 hex digits. */
  readonly before: string;
  /** The event begins a segment. */
  readonly begins?: SegmentReason;
  /** Beyond the share of its account: the event may be dropped before older ones. */
  readonly overShare?: true;
}

/** A run of events that were dropped before older ones. */
export interface Gap {
  /** Sequence number of the last of them. */
  readonly to: number;
  /** Chain hash of the last of them. */
  readonly link: string;
}

const FORM = 1;
const GAP = 2;
const OVER_SHARE = 0x80;
const DAEMON_AT = 2;
const SEGMENT_AT = 10;
const BEFORE_AT = 14;
const JSON_AT = 46;
const DAEMON_BYTES = SEGMENT_AT - DAEMON_AT;
const KEY_BYTES = 32;
const SEQ_BYTES = 8;
/** First byte of a JSON object: an event of a version without a chain. */
const BRACE = 0x7b;

export const genesisHash = '0'.repeat(64);

export function newChain(begin: SegmentReason): ChainState {
  return {
    daemon: randomBytes(DAEMON_BYTES).toString('hex'),
    segment: 0,
    key: randomBytes(KEY_BYTES).toString('base64'),
    head: genesisHash,
    begin,
  };
}

/** For a store that was restored or repaired: the next event begins a segment with this reason. */
export function withNewSegment(chain: ChainState, begin: SegmentReason): ChainState {
  return { ...chain, begin };
}

/** @returns the bytes to seal, and the state of the chain once they are stored */
export function chained(
  chain: ChainState,
  seq: number,
  json: Buffer,
  overShare = false,
): { readonly plaintext: Buffer; readonly chain: ChainState } {
  const { begin, ...rest } = chain;
  const segment = chain.segment + (begin === undefined ? 0 : 1);
  const plaintext = Buffer.allocUnsafe(JSON_AT + json.length);
  plaintext[0] = FORM;
  // An event that begins a segment is never dropped before older ones.
  const flag = overShare && begin === undefined ? OVER_SHARE : 0;
  plaintext[1] = begin === undefined ? flag : segmentReasons.indexOf(begin) + 1;
  plaintext.write(chain.daemon, DAEMON_AT, 'hex');
  plaintext.writeUInt32BE(segment, SEGMENT_AT);
  plaintext.write(chain.head, BEFORE_AT, 'hex');
  json.copy(plaintext, JSON_AT);
  return { plaintext, chain: { ...rest, segment, head: chainHash(chain.key, seq, plaintext) } };
}

/** The chain hash of an event, as the next event carries it. */
export function chainHash(key: string, seq: number, plaintext: Buffer): string {
  const placed = Buffer.allocUnsafe(SEQ_BYTES + plaintext.length);
  placed.writeBigUInt64BE(BigInt(seq));
  plaintext.copy(placed, SEQ_BYTES);
  return hmacOf(Buffer.from(key, 'base64'), placed).toString('hex');
}

/** Content of the entry that replaces the first event of a gap. */
export function gapOf(gap: Gap, { daemon, segment, before }: ChainFields): Buffer {
  return Buffer.concat([
    Buffer.from([GAP]),
    Buffer.from(JSON.stringify({ ...gap, daemon, segment, before })),
  ]);
}

interface Parted {
  readonly json: Buffer;
  readonly mark?: ChainFields;
  /** Set: the entry is a gap, and `json` describes it. */
  readonly gap?: Gap;
}

/** Splits a sealed entry; without `mark`: it comes from a version without a chain. @throws record-damaged */
export function splitChained(plaintext: Buffer): Parted {
  const form = plaintext[0];
  if (form === BRACE) return { json: plaintext };
  if (form === GAP) return partedGap(plaintext.subarray(1));
  const said = plaintext[1] ?? 0;
  const reason = said & ~OVER_SHARE;
  const begins = segmentReasons[reason - 1];
  if (form !== FORM || plaintext.length <= JSON_AT || (reason !== 0 && begins === undefined))
    throw malformed();
  return {
    json: plaintext.subarray(JSON_AT),
    mark: {
      daemon: plaintext.toString('hex', DAEMON_AT, SEGMENT_AT),
      segment: plaintext.readUInt32BE(SEGMENT_AT),
      before: plaintext.toString('hex', BEFORE_AT, JSON_AT),
      ...(begins === undefined ? {} : { begins }),
      ...(said === OVER_SHARE ? { overShare: true } : {}),
    },
  };
}

const link = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const gapSchema = v.strictObject({ to: whole, link, daemon: v.string(), segment: whole, before: link });

function partedGap(json: Buffer): Parted {
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), gapSchema), json.toString());
  if (!result.success) throw malformed();
  const { to, link, ...mark } = result.output;
  return { json, mark, gap: { to, link } };
}

function malformed(): Error {
  return storeError(
    'record-damaged',
    'A stored record is malformed: it is no event that this version knows.',
  );
}
