import { unreachable } from '../../lib/errors.ts';
import type { AcceptedFormat, AnswerFormat, Assertion, FixedFormat } from '../contract.ts';
import { blank, compact, dash, type Reading, readAnswer, wipeReading } from './reading.ts';

/** What may be at the end of a password-and-code answer. */
export interface Tail {
  readonly format: AnswerFormat;
  /** Length in bytes, from the end of the answer. */
  readonly length: number;
}

/**
 * The symbols of recovery keys: digits and letters without 0, 1, i, l and o, which people misread.
 * A key is four groups of five symbols.
 */
export const recoveryAlphabet = '23456789abcdefghjkmnpqrstuvwxyz';
export const recoveryGroups: readonly number[] = [5, 5, 5, 5];

/** Recovery keys of Proxmox VE: "0123-4567-89ab-cdef". */
const legacyGroups: readonly number[] = [4, 4, 4, 4];

/** Bypass codes: nine digits, read out in groups of three. No code of a device is as long. */
export const bypassGroups: readonly number[] = [3, 3, 3];

/** Yubico's keyboard-independent hex digits; the block is 32 of them, the public id up to 16 more. */
const modhex = bytesOf('cbdefghijklnrtuv', 'CBDEFGHIJKLNRTUV');
const shortestOtp = 32;
const longestOtp = 48;

const decimal = bytesOf('0123456789');
const hex = bytesOf('0123456789abcdef', 'ABCDEF');
const recoverySymbols = bytesOf(recoveryAlphabet, recoveryAlphabet.toUpperCase());

/*
 * Invariants:
 * - The answer may be a password, or start with one. Strings cannot be wiped, so no byte becomes part of a string
 *   before every byte of the format was examined and belongs to it.
 * - Everything is compared in one spelling (reading.ts), so that what was used is used in every spelling.
 * - A control byte, or a character that is not a digit, letter, space or dash, matches no format.
 */

/** @param digitsInUse lengths of the codes that this login may take (6, 7, 8) */
export function answerFormatOf(answer: Buffer, digitsInUse: ReadonlySet<number>): AnswerFormat {
  const reading = readAnswer(answer);
  const core = compact(reading);
  try {
    if (core.length === 0) return { kind: 'enter' };
    return (
      codeFormat(core, digitsInUse) ??
      otpFormat(core) ??
      recoveryFormat(core) ??
      legacyFormat(core) ??
      bypassFormat(core) ?? { kind: 'none' }
    );
  } finally {
    core.fill(0);
    wipeReading(reading);
  }
}

/** The formats that the factors of a login accept. */
export interface WantedFormats {
  readonly digits: ReadonlySet<number>;
  readonly fixed: ReadonlySet<FixedFormat>;
  /** Public ids of YubiKeys. */
  readonly otps: ReadonlySet<string>;
}

/** The formats that any account may have. */
export const anyFormat: WantedFormats = {
  digits: new Set([6, 7, 8]),
  fixed: new Set(['recovery', 'legacy-recovery', 'bypass']),
  otps: new Set(),
};

export function isFixed(accepted: AcceptedFormat): accepted is { readonly kind: FixedFormat } {
  return (anyFormat.fixed as ReadonlySet<string>).has(accepted.kind);
}

export function looksLikeOtp(answer: Buffer): boolean {
  return answerFormatOf(answer, anyFormat.digits).kind === 'yubikey';
}

/** The only OTP among these whose public id is wanted: an answer as another keyboard layout types it. */
export function retyped(typed: readonly { readonly otp: string }[], otps: ReadonlySet<string>): AnswerFormat {
  const [first, ...others] = typed.filter(({ otp }) => otps.has(otp.slice(0, -shortestOtp)));
  return first === undefined || others.length > 0 ? { kind: 'none' } : { kind: 'yubikey', text: first.otp };
}

/**
 * The formats that the end of a password-and-code answer may have, longest first. The rest in front may be empty.
 *
 * Invariant: no byte of the password is taken as part of the factor. Spaces and line ends behind the factor are
 * part of its length, and so is one space in front of it if anything but spaces precedes that; a second one belongs
 * to the password.
 *
 * @param wanted the factors that the account has: lengths of its codes and OTPs, and its other formats
 */
export function tailsOf(answer: Buffer, wanted: WantedFormats): readonly Tail[] {
  const reading = readAnswer(answer);
  const tails: Tail[] = [];
  const add = (
    found: Buffer | undefined,
    format: (core: Buffer) => AnswerFormat | undefined,
    first: number,
  ) => {
    const made = found === undefined ? undefined : format(found);
    found?.fill(0);
    if (made !== undefined) tails.push({ format: made, length: answer.length - startOf(reading, first) });
  };
  try {
    for (const publicId of wanted.otps) {
      const { core, first } = lastGroups(reading, [publicId.length + shortestOtp]);
      add(core, (bytes) => (beginsWith(bytes, publicId) ? otpFormat(bytes) : undefined), first);
    }
    // The end of an OTP may look like a recovery key, and would be tried as one too.
    if (tails.length > 0) return longestFirst(tails);
    for (const { kind, groups, format } of fixedFormats) {
      if (!wanted.fixed.has(kind)) continue;
      const { core, first } = lastGroups(reading, groups);
      add(core, format, first);
    }
    for (const digits of wanted.digits) {
      // Without a separator it matches each of them.
      const before = tails.length;
      for (const groups of groupsOfCode(digits)) {
        const { core, first } = lastGroups(reading, groups);
        add(core, (bytes) => (tails.length > before ? undefined : asCode(bytes, [digits])), first);
      }
    }
    return longestFirst(tails);
  } finally {
    wipeReading(reading);
  }
}

/** Whether an answer has a format that a record accepts. */
export function isAccepted(accepted: AcceptedFormat, format: AnswerFormat): boolean {
  switch (accepted.kind) {
    case 'code':
      return format.kind === 'code' && format.text.length === accepted.digits;
    case 'yubikey':
      return format.kind === 'yubikey' && format.text.slice(0, -shortestOtp) === accepted.publicId;
    case 'assertion':
      return format.kind === 'assertion' && format.assertion.credentialId === accepted.credentialId;
    case 'recovery':
    case 'legacy-recovery':
    case 'bypass':
      return format.kind === accepted.kind;
    default:
      return unreachable(accepted);
  }
}

function longestFirst(tails: readonly Tail[]): readonly Tail[] {
  return tails.toSorted((a, b) => b.length - a.length);
}

/** Whether the answer ends in modhex, at least as long as the shortest OTP with a public id. Creates no string. */
export function endsLikeOtp(answer: Buffer): boolean {
  const reading = readAnswer(answer);
  const { core } = lastGroups(reading, [shortestOtp + 2]);
  const isLike = core?.every((byte) => modhex.has(byte)) === true;
  core?.fill(0);
  wipeReading(reading);
  return isLike;
}

/**
 * The characters of groups of these sizes at the end, without the spaces and dashes between them; and the index of
 * the first one.
 */
function lastGroups(
  { symbols }: Reading,
  sizes: readonly number[],
): { readonly core?: Buffer; readonly first: number } {
  const core = Buffer.alloc(sizes.reduce((sum, size) => sum + size, 0));
  let at = symbols.length;
  while (at > 0 && symbols[at - 1] === blank) at -= 1;
  let into = core.length;
  for (const size of [...sizes].reverse()) {
    while (into < core.length && at > 0 && isSeparator(symbols[at - 1])) at -= 1;
    for (let taken = 0; taken < size; taken += 1) {
      const symbol = at > 0 ? symbols[at - 1] : undefined;
      if (symbol === undefined || isSeparator(symbol)) {
        core.fill(0);
        return { first: 0 };
      }
      at -= 1;
      into -= 1;
      core[into] = symbol;
    }
  }
  return { core, first: at };
}

/** Where the factor with this first character begins: one space before it, if that separates it. */
function startOf({ symbols, starts }: Reading, first: number): number {
  const separates =
    first > 1 && symbols[first - 1] === blank && symbols.subarray(0, first - 1).some((one) => one !== blank);
  return starts[separates ? first - 1 : first] ?? 0;
}

function isSeparator(symbol: number | undefined): boolean {
  return symbol === blank || symbol === dash;
}

/** Compared byte by byte, ignoring case: the bytes may be the end of a password. */
function beginsWith(bytes: Buffer, letters: string): boolean {
  return [...Buffer.from(letters)].every((letter, at) => ((bytes[at] ?? 0) | 0x20) === letter);
}

/** Apps show "123 456" and "1234 5678", and some users type it that way. */
function groupsOfCode(digits: number): readonly (readonly number[])[] {
  const half = Math.floor(digits / 2);
  const even = [half, digits - half];
  return half === digits - half ? [even] : [even, [digits - half, half]];
}

function codeFormat(core: Buffer, digitsInUse: ReadonlySet<number>): AnswerFormat | undefined {
  for (const digits of digitsInUse)
    for (const groups of groupsOfCode(digits)) {
      const format = asCode(core, groups);
      if (format !== undefined) return format;
    }
  return undefined;
}

function asCode(bytes: Buffer, groups: readonly number[]): AnswerFormat | undefined {
  const text = grouped(bytes, groups, decimal);
  return text === undefined ? undefined : { kind: 'code', text };
}

function otpFormat(core: Buffer): AnswerFormat | undefined {
  if (core.length < shortestOtp || core.length > longestOtp) return undefined;
  const text = grouped(core, [core.length], modhex);
  return text === undefined ? undefined : { kind: 'yubikey', text: text.toLowerCase() };
}

function recoveryFormat(bytes: Buffer): AnswerFormat | undefined {
  const text = grouped(bytes, recoveryGroups, recoverySymbols);
  return text === undefined ? undefined : { kind: 'recovery', text: text.toLowerCase() };
}

function legacyFormat(bytes: Buffer): AnswerFormat | undefined {
  const text = grouped(bytes, legacyGroups, hex)?.toLowerCase();
  return text === undefined
    ? undefined
    : { kind: 'legacy-recovery', text: text.replace(/....(?!$)/g, '$&-') };
}

function bypassFormat(bytes: Buffer): AnswerFormat | undefined {
  const text = grouped(bytes, bypassGroups, decimal);
  return text === undefined ? undefined : { kind: 'bypass', text };
}

const fixedFormats = [
  { kind: 'recovery', groups: recoveryGroups, format: recoveryFormat },
  { kind: 'legacy-recovery', groups: legacyGroups, format: legacyFormat },
  { kind: 'bypass', groups: bypassGroups, format: bypassFormat },
] as const;

/** The symbols of `bytes`, if they form groups of these sizes with at most one dash between two. */
function grouped(bytes: Buffer, sizes: readonly number[], symbols: ReadonlySet<number>): string | undefined {
  const groups: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    if (at > 0 && bytes[at] === dash) at += 1;
    const group = bytes.subarray(at, at + size);
    if (group.length !== size || !group.every((byte) => symbols.has(byte))) return undefined;
    groups.push(group);
    at += size;
  }
  return at === bytes.length ? groups.map((group) => group.toString('latin1')).join('') : undefined;
}

function bytesOf(...texts: readonly string[]): ReadonlySet<number> {
  return new Set(texts.flatMap((text) => [...Buffer.from(text, 'latin1')]));
}

/** What was typed, or the answer of a security key. */
export type Answer = Buffer | Assertion;
