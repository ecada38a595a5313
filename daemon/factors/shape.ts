import type { Assertion } from './contract.ts';

/**
 * What an answer looks like. One prompt takes every kind of answer; its shape alone tells which.
 * `text` is normalised: a code as its digits, a recovery key in lower case without dashes and spaces,
 * one of a legacy set with its dashes, a YubiKey OTP in lower case.
 */
export type Shape =
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'recovery'; readonly text: string }
  /** With its dashes, which are part of what was hashed. */
  | { readonly kind: 'legacy-recovery'; readonly text: string }
  | { readonly kind: 'bypass'; readonly text: string }
  | { readonly kind: 'yubikey'; readonly text: string }
  /** Of a security key; nobody types it. */
  | { readonly kind: 'assertion'; readonly assertion: Assertion }
  | { readonly kind: 'enter' }
  | { readonly kind: 'none' };

/** A shape found at the end of a password-and-code answer. */
export interface Tail {
  readonly shape: Shape;
  /** Bytes from the end of the answer that it takes up. */
  readonly length: number;
}

/**
 * The symbols of recovery keys: digits and letters without 0, 1, i, l and o, which people misread.
 * A key is four groups of five of them.
 */
export const recoveryAlphabet = '23456789abcdefghjkmnpqrstuvwxyz';
export const recoveryGroups: readonly number[] = [5, 5, 5, 5];

/** Recovery keys of Proxmox VE: "0123-4567-89ab-cdef". */
const legacyGroups: readonly number[] = [4, 4, 4, 4];

/** Codes of admins: nine digits, read out by threes. No code of a device is as long. */
export const bypassGroups: readonly number[] = [3, 3, 3];

/** Yubico's keyboard-independent hex digits; the block is 32 of them, the public id up to 16 more. */
const modhex = bytesOf('cbdefghijklnrtuv', 'CBDEFGHIJKLNRTUV');
const shortestOtp = 32;
const longestOtp = 48;

const decimal = bytesOf('0123456789');
const hex = bytesOf('0123456789abcdef', 'ABCDEF');
const recoverySymbols = bytesOf(recoveryAlphabet, recoveryAlphabet.toUpperCase());
const separators = bytesOf('- ');
const blanks = bytesOf(' \t');

/*
 * The answer may be a password, the whole of it or its front. Strings cannot be wiped, so no byte becomes
 * part of one before every byte of the shape has been looked at and belongs to it. What is compared are
 * single bytes: a control byte, or one of a longer UTF-8 character, fits no shape.
 */

/** @param digitsInUse lengths of the codes that this login may take (6, 7, 8) */
export function shapeOf(answer: Buffer, digitsInUse: ReadonlySet<number>): Shape {
  if (answer.length === 0) return { kind: 'enter' };
  const core = withoutBlanks(answer);
  return (
    codeShape(core, digitsInUse) ??
    otpShape(core) ??
    recoveryShape(core) ??
    legacyShape(core) ??
    bypassShape(core) ?? { kind: 'none' }
  );
}

/** Shapes that are of one length each, whatever the account has. */
export type FixedShape = Extract<Shape['kind'], 'recovery' | 'legacy-recovery' | 'bypass'>;

/**
 * What the end of a password-and-code answer may be, longest first. The rest in front may be empty.
 * @param wanted the factors that the account has: lengths of its codes and OTPs, and what else it has
 */
export function tailsOf(
  answer: Buffer,
  wanted: {
    readonly digits: ReadonlySet<number>;
    readonly fixed: ReadonlySet<FixedShape>;
    /** Public ids of its YubiKeys. */
    readonly otps: ReadonlySet<string>;
  },
): readonly Tail[] {
  const tails: Tail[] = [];
  const add = (shape: Shape | undefined, length: number) => {
    if (shape !== undefined) tails.push({ shape, length });
  };
  for (const publicId of [...wanted.otps].sort((a, b) => b.length - a.length)) {
    const length = publicId.length + shortestOtp;
    const tail = lastBytes(answer, length);
    if (beginsWith(tail, publicId)) add(otpShape(tail), length);
  }
  // The end of an OTP may look like a recovery key, and would be tried as one too.
  if (tails.length > 0) return tails;
  for (const { kind, groups, shape } of fixedShapes) {
    if (!wanted.fixed.has(kind)) continue;
    for (const length of lengthsOf(groups)) add(shape(lastBytes(answer, length)), length);
  }
  for (const length of [...wanted.digits].sort((a, b) => b - a)) {
    add(asCode(lastBytes(answer, length), [length]), length);
  }
  return tails;
}

/** Whether the last bytes are modhex, as many as the shortest OTP with a public id has. Makes no text of them. */
export function endsLikeOtp(answer: Buffer): boolean {
  const tail = lastBytes(answer, shortestOtp + 2);
  return tail.length > 0 && tail.every((byte) => modhex.has(byte));
}

/** Compared byte by byte, in any case: what stands there may be the end of a password. */
function beginsWith(bytes: Buffer, letters: string): boolean {
  return (
    bytes.length > 0 && [...Buffer.from(letters)].every((letter, at) => ((bytes[at] ?? 0) | 0x20) === letter)
  );
}

/** Apps show "123 456" and "1234 5678", and some people type what they see. */
function codeShape(core: Buffer, digitsInUse: ReadonlySet<number>): Shape | undefined {
  for (const digits of digitsInUse) {
    const half = Math.floor(digits / 2);
    const shape = asCode(core, [half, digits - half]) ?? asCode(core, [digits - half, half]);
    if (shape !== undefined) return shape;
  }
  return undefined;
}

function asCode(bytes: Buffer, groups: readonly number[]): Shape | undefined {
  const text = grouped(bytes, groups, decimal);
  return text === undefined ? undefined : { kind: 'code', text };
}

function otpShape(core: Buffer): Shape | undefined {
  if (core.length < shortestOtp || core.length > longestOtp) return undefined;
  const text = grouped(core, [core.length], modhex);
  return text === undefined ? undefined : { kind: 'yubikey', text: text.toLowerCase() };
}

function recoveryShape(bytes: Buffer): Shape | undefined {
  const text = grouped(bytes, recoveryGroups, recoverySymbols);
  return text === undefined ? undefined : { kind: 'recovery', text: text.toLowerCase() };
}

function legacyShape(bytes: Buffer): Shape | undefined {
  const text = grouped(bytes, legacyGroups, hex)?.toLowerCase();
  return text === undefined
    ? undefined
    : { kind: 'legacy-recovery', text: text.replace(/....(?!$)/g, '$&-') };
}

function bypassShape(bytes: Buffer): Shape | undefined {
  const text = grouped(bytes, bypassGroups, decimal);
  return text === undefined ? undefined : { kind: 'bypass', text };
}

/** The longest first. */
const fixedShapes = [
  { kind: 'recovery', groups: recoveryGroups, shape: recoveryShape },
  { kind: 'legacy-recovery', groups: legacyGroups, shape: legacyShape },
  { kind: 'bypass', groups: bypassGroups, shape: bypassShape },
] as const;

/** With all its separators, and with none. */
function lengthsOf(groups: readonly number[]): readonly number[] {
  const symbols = groups.reduce((sum, size) => sum + size, 0);
  return [symbols + groups.length - 1, symbols];
}

/** The symbols of `bytes`, if they are groups of these sizes with at most one separator between two. */
function grouped(bytes: Buffer, sizes: readonly number[], symbols: ReadonlySet<number>): string | undefined {
  const groups: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    if (at > 0 && separators.has(bytes[at] ?? 0)) at += 1;
    const group = bytes.subarray(at, at + size);
    if (group.length !== size || !group.every((byte) => symbols.has(byte))) return undefined;
    groups.push(group);
    at += size;
  }
  return at === bytes.length ? groups.map((group) => group.toString('latin1')).join('') : undefined;
}

/** A view on the last bytes; nothing, which fits no shape, when there are not as many. */
function lastBytes(answer: Buffer, length: number): Buffer {
  return length > answer.length ? Buffer.alloc(0) : answer.subarray(answer.length - length);
}

function withoutBlanks(answer: Buffer): Buffer {
  let start = 0;
  let end = answer.length;
  while (start < end && blanks.has(answer[start] ?? 0)) start += 1;
  while (end > start && blanks.has(answer[end - 1] ?? 0)) end -= 1;
  return answer.subarray(start, end);
}

function bytesOf(...texts: readonly string[]): ReadonlySet<number> {
  return new Set(texts.flatMap((text) => [...Buffer.from(text, 'latin1')]));
}
