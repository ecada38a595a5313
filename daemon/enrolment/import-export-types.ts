import type { KeyAlgorithm } from '../factors/contract.ts';
import type { PlainHotp, PlainTotp, PlainU2f, PlainYubikey } from '../factors/plain-factors.ts';

/**
 * What travels when people move here from another system, and when they leave: a factor with its secret, and with
 * what is spent of it. All of it is secret.
 */
export type PortableFactor = {
  /** As the other system called it; made to fit. */
  readonly name?: string;
  /** Milliseconds since the epoch. */
  readonly created?: number;
  readonly enabled: boolean;
} & (
  | ({
      readonly kind: 'totp';
      /** The last step spent, -1 for none; now: nobody knows, so all up to now is. */
      readonly mark: number | 'now';
      /** Steps by which the device runs ahead or behind. */
      readonly drift: number;
    } & PlainTotp)
  | ({ readonly kind: 'hotp' } & PlainHotp)
  | { readonly kind: 'yubikey'; readonly validation: 'cloud'; readonly publicId: string }
  | ({
      readonly kind: 'yubikey';
      readonly validation: 'local';
      /** Use counter * 256 + session counter of the last press accepted; -1: none. */
      readonly lastPress: number;
    } & PlainYubikey)
  | ({ readonly kind: 'u2f' } & PlainU2f)
  | {
      readonly kind: 'webauthn';
      readonly credentialId: string;
      /** Base64 of the raw key, as `coseKey` takes it. */
      readonly publicKey: string;
      readonly algorithm: KeyAlgorithm;
      /** Signature counter known last. */
      readonly counter: number;
      readonly rpId: string;
    }
  /** In plain text, as google-authenticator keeps them: what is left of the set. */
  | { readonly kind: 'scratch'; readonly codes: readonly string[] }
  /** A set of Proxmox VE's: its hashes, null where a key is used. */
  | {
      readonly kind: 'recovery';
      /** 16 hex digits. */
      readonly secret: string;
      readonly hashes: readonly (string | null)[];
    }
);

export type MovedKind = PortableFactor['kind'];

/** One account of another system. */
export interface ImportEntry {
  /** Name as written; absent: the account that `owner` is. */
  readonly user?: string;
  /** The uid whose file it is, where that is not root's: it can speak for its owner alone. */
  readonly owner?: number;
  readonly factors: readonly PortableFactor[];
  readonly lock?: {
    /** Typed codes are locked until an admin or a recovery key lifts it. */
    readonly codes: boolean;
    /** Everything is, until then. Milliseconds since the epoch. */
    readonly until?: number;
  };
}

export interface ImportRequest {
  readonly actor: string;
  /** Which system it comes from: what the audit trail says. */
  readonly source: string;
  readonly dryRun: boolean;
  readonly entries: readonly ImportEntry[];
}

/** added: it is new; raised: it was there, and more of it is spent now; refused: `code` and `message` say why. */
export type ImportedFactor = { readonly kind: MovedKind; readonly name: string } & (
  | { readonly outcome: 'added' | 'raised' | 'unchanged' }
  | { readonly outcome: 'refused'; readonly code: string; readonly message: string }
);

/** What became of one account; in a dry run, what would. */
export interface ImportedAccount {
  /** Canonical name; absent where there is no such account. */
  readonly account?: string;
  /** refused: nothing of it came over, and nothing of it was there. */
  readonly outcome: 'added' | 'unchanged' | 'refused';
  readonly code?: string;
  readonly message?: string;
  /** In the order of the entry. */
  readonly factors: readonly ImportedFactor[];
  /** A lock came over too. */
  readonly locked: boolean;
}

export interface ExportRequest {
  readonly actor: string;
  /** Canonical names; absent: all that the store knows, after the name `after`. */
  readonly users?: readonly string[];
  readonly after?: string;
  readonly limit: number;
}

export interface ExportedAccount {
  readonly account: string;
  readonly factors: readonly (PortableFactor & { readonly name: string })[];
  /** What cannot leave, and why. */
  readonly left: readonly { readonly kind: string; readonly name: string; readonly why: string }[];
}

export interface ExportPage {
  readonly accounts: readonly ExportedAccount[];
  /** There are more: ask again after this name. */
  readonly next?: string;
}

/** Moving here from another system, and leaving. */
export interface Moving {
  /** One commit and its events for each account; one that is refused stops no other. Never throws for an entry. */
  take(request: ImportRequest): Promise<readonly ImportedAccount[]>;
  /** @throws SallyportError no-such-account, and the store's own */
  give(request: ExportRequest): Promise<ExportPage>;
}
