import { limits } from '../limits.ts';

/** What `cli/` has to know before it asks: how lengths of time are written, and what may be asked for. */
export { formatDuration, parseDuration } from '../config/duration.ts';

export const totpPeriod = limits.totpPeriod;
export const bypassLimits = limits.bypass;
export const exemptionLimits = limits.exemption;
export const reportLimit = limits.reportAccounts;
