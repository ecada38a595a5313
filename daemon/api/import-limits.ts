import { limits } from '../limits.ts';

/** What one request to import may hold. */
export const movedLimits = {
  accounts: limits.movedAccounts,
  factors: limits.movedFactors,
  bytes: limits.importBody,
  codes: limits.movedCodes,
  name: limits.movedNameLength,
} as const;
