import { accountOperations } from './operations-accounts.ts';
import { peopleOperations } from './operations-auth.ts';
import { machineOperations } from './operations-machine.ts';
import type { Operation } from './permissions.ts';

export type { Access, CallerRole, Permission } from './permissions.ts';

/**
 * What can be done over control.sock, and who may do it: one table, one cell for each caller.
 *
 * What MUST hold:
 * - what is not said to be allowed is denied; a caller is exactly one of the columns;
 * - whoever is not root needs a token for every change;
 * - only root changes what belongs to root, lets a factor in unverified, moves accounts in or out, and reloads;
 * - the portal does nothing of its own: it shows a person's token, and that person's cell decides;
 * - whoever runs programs for events follows them, and may nothing else.
 */
export const operations = { ...machineOperations, ...accountOperations, ...peopleOperations } as const;

export type OperationName = keyof typeof operations;

export function operation(name: OperationName): Operation {
  return operations[name];
}

export const operationNames = Object.keys(operations) as readonly OperationName[];
