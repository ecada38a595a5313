const units = { K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 } as const;

/** "512K", "64M", "1G" in bytes; undefined for anything else. One number, one unit, 1024 to the next. */
export function parseSize(text: string): number | undefined {
  const match = /^([1-9]\d{0,5})([KMGT])$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * units[match[2] as keyof typeof units];
}
