import { limits } from '../limits.ts';

/** What one request to import may hold. */
export const movedLimits = {
  accounts: limits.movedAccounts,
  factors: limits.movedFactors,
  bytes: limits.importBody,
  name: limits.movedNameLength,
} as const;
