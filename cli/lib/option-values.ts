import { InvalidArgumentError } from 'commander';
import { formatDuration, parseDuration } from '../../daemon/lib/units.ts';

/** For commander: a whole number within limits, or a usage error that says which. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= least && number <= most) return number;
    throw new InvalidArgumentError(
      most === Number.MAX_SAFE_INTEGER
        ? `It must be a whole number from ${least} on.`
        : `It must be a whole number from ${least} to ${most}.`,
    );
  };
}

/** For commander: a length of time within limits, in milliseconds, or a usage error that says which. */
export function lengthOfTime(least: number, most: number): (text: string) => number {
  return (text) => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms >= least && ms <= most) return ms;
    throw new InvalidArgumentError(
      `It must be a length of time from ${formatDuration(least)} to ${formatDuration(most)}: 30m, 2h, 1d.`,
    );
  };
}
