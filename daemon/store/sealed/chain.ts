import { createHmac, randomBytes } from 'node:crypto';
import * as v from 'valibot';
import { storeError } from '../../sealing/error.ts';
import { type SegmentReason, segmentReasons } from '../contract.ts';

/**
 * The chain of audit events: each carries the link of the one before, so that what was cut out, reordered, put in
 * or changed is seen, whoever sealed it.
 *
 *   u8 form (1) | u8 reason, 0x80: beyond its share | 8 bytes daemon | u32 segment | 32 bytes link of the event before | the event, as JSON
 *
 * The link of an event is HMAC-SHA256 over its place (u64) and all of the above, under a key of the chain's own that
 * lies sealed in what the store says of itself: a new master key changes no link, and a link tells nobody anything
 * of the event that it stands for.
 *
 * A gap stands in the place of the first of a row of events that were dropped since they were beyond the share of
 * their account (thinning.ts): u8 form (2) | JSON. The chain goes through it, from `before` to `link`.
 *
 * MUST hold here:
 * - event, head and place change in one write, so that a crash leaves a chain that is whole;
 * - a segment never begins without a reason, and goes on from the link of what lies before it.
 */
export interface ChainState {
  /** 16 hex digits: whose chain this is. A fleet has one chain for each of its daemons. */
  readonly daemon: string;
  /** Counts from 1. */
  readonly segment: number;
  /** Base64. */
  readonly key: string;
  /** Link of the newest event, 64 hex digits; all zeros: there is none that has one. */
  readonly head: string;
  /** Link of the event before the oldest that is kept; absent: that one has none, or could not be read. */
  readonly base?: string;
  /** The next event begins a segment, for this reason. */
  readonly begin?: SegmentReason;
}

/** What an event says of its place in the chain. */
export interface ChainFields {
  readonly daemon: string;
  readonly segment: number;
  /** Link of the event before, 64 hex digits. */
  readonly before: string;
  /** It begins a segment. */
  readonly begins?: SegmentReason;
  /** Beyond the share of its account: it may be dropped before older ones. */
  readonly overShare?: true;
}

/** A row of events that were dropped out of turn. */
export interface Gap {
  /** The last of them. */
  readonly to: number;
  /** Of the last of them. */
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
/** What JSON of an object begins with: an event of a version without a chain. */
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

/** For a store that was put back or mended: what comes next begins a segment that says so. */
export function withNewSegment(chain: ChainState, begin: SegmentReason): ChainState {
  return { ...chain, begin };
}

/** @returns what is to be sealed, and the chain once it is stored */
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
  // What begins a segment is never dropped out of turn.
  const flag = overShare && begin === undefined ? OVER_SHARE : 0;
  plaintext[1] = begin === undefined ? flag : segmentReasons.indexOf(begin) + 1;
  plaintext.write(chain.daemon, DAEMON_AT, 'hex');
  plaintext.writeUInt32BE(segment, SEGMENT_AT);
  plaintext.write(chain.head, BEFORE_AT, 'hex');
  json.copy(plaintext, JSON_AT);
  return { plaintext, chain: { ...rest, segment, head: chainHash(chain.key, seq, plaintext) } };
}

/** The link of an event, as the one behind it carries it. */
export function chainHash(key: string, seq: number, plaintext: Buffer): string {
  const place = Buffer.allocUnsafe(8);
  place.writeBigUInt64BE(BigInt(seq));
  return createHmac('sha256', Buffer.from(key, 'base64')).update(place).update(plaintext).digest('hex');
}

/** What stands in the place of the first event of a gap. */
export function gapOf(gap: Gap, { daemon, segment, before }: ChainFields): Buffer {
  return Buffer.concat([
    Buffer.from([GAP]),
    Buffer.from(JSON.stringify({ ...gap, daemon, segment, before })),
  ]);
}

interface Parted {
  readonly json: Buffer;
  readonly mark?: ChainFields;
  /** It is no event: `json` is of the gap. */
  readonly gap?: Gap;
}

/** Parts what was sealed; without `mark`: it comes from a version without a chain. @throws record-damaged */
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
