import { InvalidArgumentError } from 'commander';
import { formatDuration, parseDuration } from '../../daemon/api/client-limits.ts';

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
