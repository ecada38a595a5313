import { rmSync } from 'node:fs';
import type { Addon } from '../host/addon.ts';
import { loadKeyring } from '../sealing/keyring.ts';
import { offline } from './administration.ts';
import { checkStore } from './check.ts';
import { working } from './job.ts';
import { prepare } from './offline-context.ts';
import { repair } from './repair.ts';
import { replacedStores } from './replace-store.ts';
import { restore } from './restore.ts';

/** What of the command line is for here. */
export interface OfflineOptions {
  readonly offline?: boolean | undefined;
  readonly restore?: boolean | undefined;
  readonly 'dry-run'?: boolean | undefined;
  readonly 'ignore-store'?: boolean | undefined;
  readonly 'generate-key'?: boolean | undefined;
  readonly 'master-key'?: string | undefined;
  readonly 'check-store'?: boolean | undefined;
  readonly 'repair-store'?: boolean | undefined;
  readonly 'reset-account'?: readonly string[] | undefined;
  readonly 'replaced-stores'?: boolean | undefined;
  readonly discard?: boolean | undefined;
}

type OfflineWork =
  | { readonly kind: 'administration' | 'check' }
  | { readonly kind: 'repair'; readonly resetAccounts: readonly string[] }
  | { readonly kind: 'aside'; readonly discard: boolean }
  | {
      readonly kind: 'restore';
      readonly dryRun: boolean;
      readonly ignoreStore: boolean;
      readonly generateKey: boolean;
      readonly oldKey: string | undefined;
    };

/** Undefined: a daemon is asked for. */
export function offlineWorkIn(options: OfflineOptions): OfflineWork | undefined {
  if (options.offline === true) return { kind: 'administration' };
  if (options['check-store'] === true) return { kind: 'check' };
  if (options['repair-store'] === true)
    return { kind: 'repair', resetAccounts: options['reset-account'] ?? [] };
  if (options['replaced-stores'] === true) return { kind: 'aside', discard: options.discard === true };
  if (options.restore !== true) return undefined;
  return {
    kind: 'restore',
    dryRun: options['dry-run'] === true,
    ignoreStore: options['ignore-store'] === true,
    generateKey: options['generate-key'] === true,
    oldKey: options['master-key'],
  };
}

/** What sallyportd does with a store that no daemon has open. @returns whether it was done */
export async function offlineWork(what: OfflineWork, file: string, addon: Addon): Promise<boolean> {
  const { stdin: input, stdout: output } = process;
  switch (what.kind) {
    case 'administration':
      return offline(file, addon, input, output);
    case 'check':
      return working(output, (work) => checkStore(prepare(file), addon, work));
    case 'repair':
      return working(output, (work) => repair(prepare(file), addon, work, what.resetAccounts));
    case 'aside':
      return working(output, async (work) => {
        const aside = replacedStores(prepare(file).paths.store);
        if (what.discard) for (const directory of aside) rmSync(directory, { recursive: true });
        work.tell({ done: { aside } });
      });
    case 'restore':
      return working(output, (work) => {
        const { oldKey, dryRun, ignoreStore, generateKey } = what;
        // First of all: it may be readable only for root.
        const oldKeys = oldKey === undefined ? undefined : loadKeyring({ path: oldKey });
        return restore(
          prepare(file, { makeKey: generateKey && !dryRun }),
          addon,
          { input, dryRun, ignoreStore, oldKeys },
          work,
        );
      });
  }
}
