import type { Command } from 'commander';
import type { FactorSummary } from '../daemon/api/views.ts';
import { addHotpCommand, addRecoveryCommand, addTotpCommand } from './commands/factor-add.ts';
import { addBypassCommand } from './commands/factor-add-bypass.ts';
import { addU2fCommand, addWebauthnCommand } from './commands/factor-add-key.ts';
import { addSshSkCommand } from './commands/factor-add-ssh-sk.ts';
import { addYubikeyCommand } from './commands/factor-add-yubikey.ts';
import type { Context } from './lib/context.ts';

type KindName = FactorSummary['kind'];

interface Kind {
  /** Adds its `factor add` command; absent: it is only imported. */
  readonly command?: (add: Command, context: Context) => void;
  /** Another kind replaces it: an import asks for that. */
  readonly isLegacy?: true;
}

function adds<K extends KindName>(
  kind: K,
  addCommand: (add: Command, kind: K, context: Context) => void,
): Pick<Kind, 'command'> {
  return { command: (add, context) => addCommand(add, kind, context) };
}

/** The table of kinds, in the order of --help. */
const kinds: Readonly<Record<KindName, Kind>> = {
  totp: adds('totp', addTotpCommand),
  hotp: adds('hotp', addHotpCommand),
  yubikey: adds('yubikey', addYubikeyCommand),
  webauthn: adds('webauthn', addWebauthnCommand),
  u2f: { ...adds('u2f', addU2fCommand), isLegacy: true },
  'ssh-sk': adds('ssh-sk', addSshSkCommand),
  recovery: adds('recovery', addRecoveryCommand),
  bypass: adds('bypass', addBypassCommand),
  scratch: { isLegacy: true },
};

/** What an account without a factor should add, and then as a reserve. */
export const firstKind = 'totp' satisfies KindName;
export const reserveKind = 'recovery' satisfies KindName;

export function addFactorAdd(factor: Command, context: Context): void {
  const add = factor
    .command('add')
    .description('Add a factor; keys go to standard output, everything else to standard error');
  for (const { command } of Object.values(kinds)) command?.(add, context);
}

export function isLegacy(kind: KindName): boolean {
  return kinds[kind].isLegacy === true;
}
