const units = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** "90s", "15m", "1h", "14d" in milliseconds; undefined for anything else. One number, one unit. */
export function parseDuration(text: string): number | undefined {
  const match = /^([1-9]\d{0,8})([smhd])$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * units[match[2] as keyof typeof units];
}

/** The shortest text that parseDuration reads as the same time; parts of a second are rounded up. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm'] as const) {
    if (ms >= units[unit] && ms % units[unit] === 0) return `${ms / units[unit]}${unit}`;
  }
  return `${Math.ceil(ms / units.s)}s`;
}

/** "1 account", "2 accounts"; with `many` where the plural has no plain "s": "1 account is", "2 accounts are". */
export function pluralise(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** "a right code of 3 minutes ago": of a device whose clock is ahead by so many seconds (behind, below 0). */
export function offsetText(seconds: number): string {
  const minutes = Math.max(1, Math.round(Math.abs(seconds) / 60));
  return `a right code of ${pluralise(minutes, 'minute')} ${seconds < 0 ? 'ago' : 'ahead'}`;
}

const sizes = { K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 } as const;

/** "512K", "64M", "1G" in bytes; undefined for anything else. One number, one unit, 1024 to the next. */
export function parseSize(text: string): number | undefined {
  const match = /^([1-9]\d{0,5})([KMGT])$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * sizes[match[2] as keyof typeof sizes];
}
