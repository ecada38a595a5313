import { InvalidArgumentError } from 'commander';
import { formatDuration, parseDuration } from '../../daemon/lib/units.ts';

/** Parser for commander: an integer within limits; a usage error names the limits. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= least && number <= most) return number;
    throw new InvalidArgumentError(
      most === Number.MAX_SAFE_INTEGER
        ? `Expected a whole number of at least ${least}.`
        : `Expected a whole number from ${least} to ${most}.`,
    );
  };
}

/** Parser for commander: a duration within limits, in milliseconds; a usage error names the limits. */
export function lengthOfTime(least: number, most: number): (text: string) => number {
  return (text) => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms >= least && ms <= most) return ms;
    throw new InvalidArgumentError(
      `Expected a duration from ${formatDuration(least)} to ${formatDuration(most)}: 30m, 2h, 1d.`,
    );
  };
}
