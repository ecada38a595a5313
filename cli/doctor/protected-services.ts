import { isOurs, readStack, type Stack } from '../pam/read.ts';
import type { Machine } from './contract.ts';

/** Services that use pam_sallyport, or why they cannot be read. */
export type Guarded =
  | { readonly kind: 'seen'; readonly services: readonly Stack[] }
  | { readonly kind: 'unseen'; readonly why: string };

/** The auth stacks that contain the module. */
export function guarded({ pam }: Pick<Machine, 'pam'>): Guarded {
  try {
    const stacks = pam.names().map((service) => readStack(pam, service, 'auth'));
    return { kind: 'seen', services: stacks.filter((stack) => oursIn(stack).length > 0) };
  } catch (error) {
    return { kind: 'unseen', why: error instanceof Error ? error.message : String(error) };
  }
}

/** The lines of a stack that call the module. */
export function oursIn({ entries }: Stack) {
  return entries.flatMap((entry) => (entry.kind === 'module' && isOurs(entry.line) ? [entry.line] : []));
}

/** Included files are not services: no program has such a name. */
const partsOnly = /^(?:common-\w+|sallyport-[\w-]+|system-auth\S*|password-auth\S*|other)$/;

/** The services that belong to a program. */
export function programs(stacks: readonly Stack[]): readonly Stack[] {
  return stacks.filter(({ service }) => isProgram(service));
}

export function isProgram(service: string): boolean {
  return !partsOnly.test(service);
}
