/** A time for scripts, in pipes and JSON: "2025-03-01T08:30:00.000Z". */
export function isoUtc(at: number): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? String(at) : time.toISOString();
}

/** A time in a sentence: local, with the offset. */
export function isoLocal(at: number): string {
  const { date, time, offset } = parts(at);
  return `${date}T${time}${offset}`;
}

/** For terminals: "2025-03-01 09:30:00 (3 min ago)". */
export function withHint(at: number, now: number): string {
  return `${plainTime(at)} (${hint(at - now)})`;
}

/** For rows on terminals: "2025-03-01 09:30:00". */
export function plainTime(at: number): string {
  const { date, time } = parts(at);
  return `${date} ${time}`;
}

function parts(at: number): { readonly date: string; readonly time: string; readonly offset: string } {
  const local = new Date(at);
  const minutes = -local.getTimezoneOffset();
  const shifted = new Date(at + minutes * 60_000).toISOString();
  const sign = minutes < 0 ? '-' : '+';
  const size = Math.abs(minutes);
  return {
    date: shifted.slice(0, 10),
    time: shifted.slice(11, 19),
    offset: `${sign}${two(Math.floor(size / 60))}:${two(size % 60)}`,
  };
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

function hint(distance: number): string {
  const size = Math.abs(distance);
  const unit = units.find(([, length]) => size >= length);
  if (unit === undefined) return 'now';
  const amount = `${Math.floor(size / unit[1])} ${unit[0]}`;
  return distance < 0 ? `${amount} ago` : `in ${amount}`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}

const lengths: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};

/**
 * Parses a time in the past: a duration before now ("90s", "30m", "12h", "1d", "2w"), or a date with or
 * without a time, local unless it has an offset.
 * @returns milliseconds since the epoch; undefined if invalid
 */
export function parseSince(text: string, now: number): number | undefined {
  const length = /^(\d{1,9})([smhdw])$/.exec(text);
  if (length) return Math.max(0, now - Number(length[1]) * (lengths[length[2] ?? ''] ?? 0));
  return parseDate(text);
}

/**
 * Parses a date with or without a time, local unless it has an offset.
 * @returns milliseconds since the epoch; undefined if invalid
 */
export function parseDate(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})?)?$/.test(text))
    return undefined;
  // Date reads a date without a time as UTC; here it means the start of the local day.
  const moment = Date.parse(text.length === 10 ? `${text}T00:00:00` : text.replace(' ', 'T'));
  return Number.isNaN(moment) || moment < 0 ? undefined : moment;
}

/** "9 min", "45 s". */
export function lengthText(seconds: number): string {
  const unit = units.find(([, length]) => seconds * 1_000 >= length);
  return unit === undefined ? '0 s' : `${Math.floor((seconds * 1_000) / unit[1])} ${unit[0]}`;
}
