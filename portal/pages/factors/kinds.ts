import type { FactorSummary, UserView } from '../../../daemon/api/views.ts';
import type { AddDialogProps } from './factor-dialog.tsx';
import { KeyDialog } from './key-dialog.tsx';
import { RecoveryDialog } from './recovery-dialog.tsx';
import { SwitchDialog } from './switch-dialog.tsx';
import { TotpDialog } from './totp-dialog.tsx';
import { YubikeyDialog } from './yubikey-dialog.tsx';

export type KindName = FactorSummary['kind'];
type Realm = NonNullable<UserView['realm']>;
type Requirable = Exclude<Realm['require'], string>[number];

export interface Adding {
  /** In the menu. */
  readonly label: string;
  readonly note: string;
  readonly Dialog: (props: AddDialogProps) => ReturnType<typeof TotpDialog>;
  /** Why a realm that accepts the kind allows no new one from here. */
  readonly unavailable?: (realm: Realm) => string | undefined;
}

export interface Legacy {
  readonly advice: string;
  /** On the button. */
  readonly action: string;
  readonly done: string;
  readonly Dialog: typeof SwitchDialog;
}

export interface Kind {
  /** The term of `sallyport factor list` and of docs/reference/factors.md, for users. */
  readonly label: string;
  /** The requirement of a realm that it satisfies at every login; absent: it only replaces another factor. */
  readonly satisfies?: Requirable;
  /** It replaces a lost factor, and runs out. */
  readonly isSubstitute?: true;
  /** A lockout of typed codes includes it. */
  readonly locksWithCodes?: true;
  /** Absent: it is added elsewhere. */
  readonly adding?: Adding;
  /** Another kind replaces it. */
  readonly legacy?: Legacy;
}

/** A dialog that creates a factor of this kind. */
function adds<K extends KindName>(
  kind: K,
  Dialog: (props: AddDialogProps & { readonly kind: K }) => ReturnType<typeof TotpDialog>,
): Adding['Dialog'] {
  return (props) => Dialog({ ...props, kind });
}

/** The table of kinds, in the order of the menu. */
export const kinds: Readonly<Record<KindName, Kind>> = {
  totp: {
    label: 'TOTP',
    satisfies: 'totp',
    locksWithCodes: true,
    adding: { label: 'TOTP', note: 'A code from an app on a phone', Dialog: adds('totp', TotpDialog) },
  },
  webauthn: {
    label: 'Security key',
    satisfies: 'webauthn',
    adding: {
      label: 'Security key (WebAuthn)',
      note: 'A key, this device, or a passkey',
      Dialog: KeyDialog,
    },
  },
  recovery: {
    label: 'Recovery keys',
    isSubstitute: true,
    adding: {
      label: 'Recovery keys',
      note: 'Ten single-use keys, to print or store',
      Dialog: adds('recovery', RecoveryDialog),
    },
  },
  yubikey: {
    label: 'YubiKey OTP',
    satisfies: 'yubikey',
    locksWithCodes: true,
    adding: {
      label: 'YubiKey OTP',
      note: 'One touch types a code',
      Dialog: adds('yubikey', YubikeyDialog),
      unavailable: ({ name, validatesYubikeys }) =>
        validatesYubikeys
          ? undefined
          : `The realm "${name}" has no YubiKey validation servers. Administrators add YubiKeys at the machine.`,
    },
  },
  hotp: { label: 'HOTP', satisfies: 'totp', locksWithCodes: true },
  u2f: {
    label: 'U2F (legacy)',
    satisfies: 'webauthn',
    legacy: {
      advice: 'U2F is legacy. It still works, but WebAuthn is better.',
      action: 'Switch to WebAuthn',
      done: 'The key is now a security key (WebAuthn).',
      Dialog: SwitchDialog,
    },
  },
  // Only sshd accepts it, where a rule says so.
  'ssh-sk': { label: 'FIDO key of ssh' },
  scratch: { label: 'Scratch codes (legacy)', isSubstitute: true },
  bypass: { label: 'Bypass code', isSubstitute: true },
};

/** Offered after the first factor, in case that is lost. */
export const offeredKind = 'recovery' satisfies KindName;
/** A realm with only this requirement accepts no other kind that satisfies one. */
export const exclusiveRequirement = 'yubikey' satisfies Requirable;

/** The kinds that are added in a browser. */
export const addableKinds = Object.entries(kinds).flatMap(([name, { adding }]) =>
  adding === undefined ? [] : [{ kind: name as KindName, ...adding }],
);

/** An event may be of a kind that this version does not know. */
export function kindName(kind: string): string {
  return Object.entries(kinds).find(([known]) => known === kind)?.[1].label ?? kind;
}
