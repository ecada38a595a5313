import { blank, readAnswer, wipeReading } from './reading.ts';

/** Modhex, in the order in which the layouts below write it. */
const modhex = 'cbdefghijklnrtuv';
const fewest = 32;
const most = 48;

/**
 * What the keys of modhex type under other keyboard layouts: a YubiKey sends keys, not letters. QWERTZ and AZERTY
 * type modhex unchanged.
 */
const layouts: readonly (readonly [name: string, typed: string])[] = [
  ['Dvorak', 'jxe.uidchtnbpygk'],
  ['Colemak', 'cbsftdhuneikpglv'],
  ['Workman', 'mvhrtgyuneokwbfc'],
  ['Turkish Q', 'cbdefghıjklnrtuv'],
  ['Turkish F', 'vçeğaütnkmlzıorc'],
  ['Russian', 'сивуапршолдткегм'],
  ['Greek', 'ψβδεφγηιξκλνρτθω'],
  ['Hebrew', 'בנגקכעיןחלךמראוה'],
];

const tables = layouts.map(([name, typed]) => {
  const keys = new Map<number, number>();
  for (const [index, character] of [...typed].entries()) {
    keys.set(character.codePointAt(0) ?? 0, index);
    const upper = character.toUpperCase();
    if (upper.length === 1) keys.set(upper.codePointAt(0) ?? 0, index);
  }
  return { name, keys };
});

export interface TypedUnder {
  readonly layout: string;
  /** The OTP in modhex. */
  readonly otp: string;
}

/**
 * The OTPs that an answer may be, each under the layout that produces it.
 *
 * Invariant: no string is created before every character of the answer belongs to such an OTP: it may be a
 * password.
 */
export function typedUnder(answer: Buffer): readonly TypedUnder[] {
  const reading = readAnswer(answer);
  const { symbols, points } = reading;
  let start = 0;
  let end = symbols.length;
  while (start < end && symbols[start] === blank) start += 1;
  while (end > start && symbols[end - 1] === blank) end -= 1;
  const typed = points.subarray(start, end);
  const isLong = typed.length >= fewest && typed.length <= most;
  const found = isLong
    ? tables.flatMap(({ name, keys }) => {
        if (!typed.every((point) => keys.has(point))) return [];
        const otp = Array.from(typed, (point) => modhex.charAt(keys.get(point) ?? 0)).join('');
        return [{ layout: name, otp }];
      })
    : [];
  wipeReading(reading);
  return found;
}
