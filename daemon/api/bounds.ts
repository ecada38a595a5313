import { securityKeyRequirement } from '../factors/contract.ts';
import { limits } from '../limits.ts';

/** The requirement of a realm that security keys satisfy. */
export { securityKeyRequirement };

/** What clients have to know before they ask: seconds of a code period. */
export const totpPeriod = limits.totpPeriod;

/** Validity of a bypass code. */
export const bypassLimits = limits.bypass;

/** How long an exemption may last, and what may be said with it. */
export const exemptionLimits = limits.exemption;

/** Accounts in one request for a report. */
export const reportLimit = limits.reportAccounts;

/** What one request to import may hold. */
export const movedLimits = {
  accounts: limits.movedAccounts,
  factors: limits.movedFactors,
  bytes: limits.importBody,
  codes: limits.movedCodes,
  name: limits.movedNameLength,
} as const;
