import { accountOperations } from './operations-accounts.ts';
import { peopleOperations } from './operations-auth.ts';
import { machineOperations } from './operations-machine.ts';
import type { Operation } from './permissions.ts';

export type { Access, CallerRole, Permission } from './permissions.ts';

/**
 * What can be done over control.sock, and who may do it: one table, one cell for each caller.
 *
 * Invariants:
 * - what is not said to be allowed is denied; a caller is exactly one of the columns;
 * - callers other than root need a token for every change;
 * - only root changes what belongs to root, adds an unverified factor, imports and exports accounts, and reloads;
 * - the portal has no rights itself: it presents a user's token, and that user's cell decides;
 * - sallyport-notify follows events, and may do nothing else.
 */
export const operations = { ...machineOperations, ...accountOperations, ...peopleOperations } as const;

export type OperationName = keyof typeof operations;

export function operation(name: OperationName): Operation {
  return operations[name];
}

export const operationNames = Object.keys(operations) as readonly OperationName[];
