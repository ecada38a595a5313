import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { closeSync, fdatasync, fdatasyncSync, openSync, write } from 'node:fs';
import { promisify } from 'node:util';
import { createDurably, type Next, prepareDurably, readFully, writeFully } from '../../lib/durable.ts';
import { messageOf } from '../../lib/errors.ts';
import { storeError, systemCode } from '../../sealing/error.ts';
import type { Keyring } from '../../sealing/keyring.ts';

/**
 * The anchor: a small file outside the store's directory that follows its commit number, so that replacing the
 * store with an older copy or truncating it is detected (design, rule 4). Two slots, written alternately:
 *
 *   4 bytes magic | u8 schema | u8 clean | u16 0 | u64 turn | u64 commit | 16 bytes store id |
 *   32 bytes key id, padded with zeros | first 8 bytes of SHA-256 over all before | HMAC-SHA256 over all before
 *
 * Invariants:
 * - only durable commit numbers are ever written;
 * - at least one slot is whole, whenever power fails.
 */
const MAGIC = Buffer.from('SPan');
const SCHEMA = 1;
const KEY_ID_AT = 40;
const CHECK_AT = 72;
const CHECK_BYTES = 8;
const MAC_AT = CHECK_AT + CHECK_BYTES;
const SLOT_BYTES = MAC_AT + 32;
/** One page apart, so that a torn write affects only one slot. */
const SLOT_DISTANCE = 4096;
const FILE_BYTES = 2 * SLOT_DISTANCE;
const HIGH = 2 ** 32;

export interface AnchorState {
  readonly storeId: string;
  readonly commit: number;
  /** Incremented with each write; identifies the newer slot. */
  readonly turn: number;
  /** The store was closed at exactly this commit. Known only when both slots are whole. */
  readonly clean: boolean;
}

/** @throws store-anchor, store-key */
export function readAnchor(path: string, keyring: Keyring): AnchorState {
  const bytes = readAnchorFile(path);
  const slots = [0, SLOT_DISTANCE].map((at) => readSlot(bytes.subarray(at, at + SLOT_BYTES), keyring, path));
  const whole = slots.filter((slot) => slot !== undefined).sort((a, b) => b.turn - a.turn);
  const [newest] = whole;
  if (!newest) {
    throw storeError(
      'store-anchor',
      `Both halves of the anchor ${path} are damaged: how new the store must be is not known. Nothing was changed. Restore the anchor together with its store from a backup.`,
    );
  }
  return { ...newest, clean: newest.clean && whole.length === 2 };
}

export function createAnchor(path: string, keyring: Keyring, storeId: string, commit: number): void {
  createDurably(path, anchorBytes(keyring, storeId, commit));
}

/** Prepares an anchor that replaces another. @returns a step that installs it and needs no disk space */
export function nextAnchor(path: string, keyring: Keyring, storeId: string, commit: number): Next {
  return prepareDurably(path, anchorBytes(keyring, storeId, commit));
}

function anchorBytes(keyring: Keyring, storeId: string, commit: number): Buffer {
  const bytes = Buffer.alloc(FILE_BYTES);
  makeSlot(keyring, { storeId, commit, turn: 1, clean: true }).copy(bytes, 0);
  makeSlot(keyring, { storeId, commit, turn: 2, clean: true }).copy(bytes, SLOT_DISTANCE);
  return bytes;
}

const writeAsync = promisify(write);
const fdatasyncAsync = promisify(fdatasync);

/** The anchor of an open store. The caller MUST write one slot at a time. */
export class Anchor {
  readonly #fd: number;
  readonly #keyring: Keyring;
  #state: AnchorState;

  /** Records durably and at once that the store is in use. @throws Error of the file system */
  constructor(path: string, keyring: Keyring, state: AnchorState) {
    this.#keyring = keyring;
    this.#state = state;
    this.#fd = openSync(path, 'r+');
    try {
      this.writeNow(state.commit, false);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  /** The last commit number written. */
  get commit(): number {
    return this.#state.commit;
  }

  async write(commit: number): Promise<void> {
    const { slot, position, state } = this.#next(commit, false);
    await writeAsync(this.#fd, slot, 0, slot.length, position);
    await fdatasyncAsync(this.#fd);
    this.#state = state;
  }

  writeNow(commit: number, clean: boolean): void {
    const { slot, position, state } = this.#next(commit, clean);
    writeFully(this.#fd, slot, position);
    fdatasyncSync(this.#fd);
    this.#state = state;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #next(commit: number, clean: boolean): { slot: Buffer; position: number; state: AnchorState } {
    const state = { ...this.#state, commit, clean, turn: this.#state.turn + 1 };
    return { slot: makeSlot(this.#keyring, state), position: (state.turn % 2) * SLOT_DISTANCE, state };
  }
}

function readAnchorFile(path: string): Buffer {
  try {
    const fd = openSync(path, 'r');
    try {
      return readFully(fd, FILE_BYTES, 0);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const what = systemCode(error) === 'ENOENT' ? 'is gone' : `cannot be read (${messageOf(error)})`;
    throw storeError(
      'store-anchor',
      `The anchor ${path} ${what}: how new the store must be is not known. Nothing was changed. Restore the anchor together with its store from a backup.`,
      error,
    );
  }
}

function makeSlot(keyring: Keyring, state: AnchorState): Buffer {
  const slot = Buffer.alloc(SLOT_BYTES);
  MAGIC.copy(slot);
  slot[4] = SCHEMA;
  slot[5] = state.clean ? 1 : 0;
  writeU64(slot, state.turn, 8);
  writeU64(slot, state.commit, 16);
  slot.write(state.storeId, 24, 'hex');
  slot.write(keyring.current, KEY_ID_AT, 'latin1');
  checksum(slot).copy(slot, CHECK_AT);
  mac(keyring, keyring.current, slot).copy(slot, MAC_AT);
  return slot;
}

function readSlot(slot: Buffer, keyring: Keyring, path: string): AnchorState | undefined {
  if (slot.length < SLOT_BYTES || !slot.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  if (!checksum(slot).equals(slot.subarray(CHECK_AT, MAC_AT))) return undefined;
  if (slot[4] !== SCHEMA) {
    throw storeError(
      'store-schema',
      `The anchor ${path} was written by a newer Sallyport. Nothing was changed.`,
    );
  }
  const keyId = slot.toString('latin1', KEY_ID_AT, CHECK_AT).replace(/\0+$/, '');
  if (!keyring.has(keyId) || !timingSafeEqual(mac(keyring, keyId, slot), slot.subarray(MAC_AT))) {
    throw storeError(
      'store-key',
      `The anchor ${path} was made with another master key (id ${keyId}). This master key belongs to another store. Nothing was changed; put the right key back.`,
    );
  }
  return {
    storeId: slot.toString('hex', 24, 40),
    commit: readU64(slot, 16),
    turn: readU64(slot, 8),
    clean: slot[5] === 1,
  };
}

function checksum(slot: Buffer): Buffer {
  return createHash('sha256').update(slot.subarray(0, CHECK_AT)).digest().subarray(0, CHECK_BYTES);
}

function mac(keyring: Keyring, keyId: string, slot: Buffer): Buffer {
  return createHmac('sha256', keyring.key('anchor', keyId)).update(slot.subarray(0, MAC_AT)).digest();
}

function writeU64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32BE(Math.floor(value / HIGH), at);
  bytes.writeUInt32BE(value % HIGH, at + 4);
}

function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * HIGH + bytes.readUInt32BE(at + 4);
}
