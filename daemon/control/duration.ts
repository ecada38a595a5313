import { limits } from '../limits.ts';

/** What `cli/` reads and writes of lengths of time, and which it may ask for. */
export { formatDuration, parseDuration } from '../config/duration.ts';

export const bypassLimits = limits.bypass;
