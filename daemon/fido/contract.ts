import type { KeyAlgorithm, UserVerification } from '../factors/contract.ts';

/**
 * Security keys that are plugged into this machine, as the daemon sees them: through `sallyport-fido`, which
 * holds nothing and decides nothing. What comes back is what a device says, and MUST be verified as if it came
 * from a browser.
 */
export interface FidoHelper {
  /** Keys that are plugged in. Never throws: who cannot look sees none. */
  list(): Promise<readonly PluggedKey[]>;
  /** All keys blink; the first touch makes the credential. */
  make(request: MakeRequest, watch: Watch): FidoCall<Made>;
  /** All keys blink; the first touch of one that holds a credential answers. */
  assert(request: AssertRequest, watch: Watch): FidoCall<Asserted>;
}

export interface PluggedKey {
  /** As it calls itself, without control characters: "Yubico YubiKey OTP+FIDO+CCID". */
  readonly name: string;
  /** False: U2F (CTAP1) alone. */
  readonly fido2: boolean;
}

/** Sizes: docs/reference/protocol.md, "The FIDO helper". */
export interface MakeRequest {
  /** SHA-256 of clientDataJSON. */
  readonly clientDataHash: Buffer;
  readonly rp: { readonly id: string; readonly name: string };
  readonly user: { readonly id: Buffer; readonly name: string };
  /** Best first; the first that the key can is taken. */
  readonly algorithms: readonly KeyAlgorithm[];
  /** Credential ids of the account: a key that holds one is refused. */
  readonly exclude: readonly Buffer[];
  readonly resident: boolean;
  readonly userVerification: UserVerification;
  /** Milliseconds that the whole call may take. */
  readonly deadline: number;
}

export interface AssertRequest {
  readonly clientDataHash: Buffer;
  /** Credentials by the relying party that they were made for. */
  readonly groups: readonly { readonly rpId: string; readonly credentialIds: readonly Buffer[] }[];
  readonly userVerification: UserVerification;
  readonly deadline: number;
}

/** What a person should be told on the way; told as it happens. */
export type FidoEvent =
  /** So many are plugged in now; 0: ask for one. Said first of all, and again when it changes. */
  | { readonly kind: 'keys'; readonly count: number }
  /** They blink: a touch is waited for. */
  | { readonly kind: 'touch' }
  /** The key that was touched wants its PIN: answer with `pin`. */
  | {
      readonly kind: 'pin';
      readonly why: 'first' | 'wrong';
      /** Tries left before the key locks itself; told when the key does. */
      readonly retries?: number;
    };

export type Watch = (event: FidoEvent) => void;

/** One question to the keys: one process of the helper. */
export interface FidoCall<T> {
  /** Never rejects. */
  readonly outcome: Promise<T | FidoFailure>;
  /** After a `pin` event, once. The bytes are wiped when they are sent. */
  pin(bytes: Buffer): void;
  /** Ends the helper; the keys stop blinking. The outcome is then `cancelled`, unless there is one already. */
  cancel(): void;
}

export interface Made {
  readonly kind: 'made';
  readonly credentialId: Buffer;
  /** As WebAuthn has it: CBOR of fmt, attStmt and authData. */
  readonly attestationObject: Buffer;
}

export interface Asserted {
  readonly kind: 'asserted';
  readonly credentialId: Buffer;
  /** Raw, without a CBOR header. */
  readonly authenticatorData: Buffer;
  readonly signature: Buffer;
}

export interface FidoFailure {
  readonly kind: 'failed';
  readonly reason: FidoReason;
  /** For the log; of the helper's own words. */
  readonly detail: string;
}

export type FidoReason =
  /** The deadline passed without a touch. */
  | 'no-touch'
  /** None was plugged in by the deadline. */
  | 'no-key'
  /** The key that was touched holds none of the credentials. */
  | 'wrong-key'
  /** The key that was touched holds one of those in `exclude`. */
  | 'excluded'
  /** User verification is required and the key has neither PIN nor finger set up. */
  | 'no-pin'
  /** The PIN is blocked until the key is pulled out, or for good. */
  | 'pin-blocked'
  /** The key cannot do what was asked: algorithm, resident keys. */
  | 'unsupported'
  /** It is full of resident credentials. */
  | 'key-full'
  /** It was pulled out, or talks rubbish. */
  | 'key-failed'
  | 'cancelled'
  /** Somebody said no, where a browser was asked. */
  | 'denied'
  /** The helper is not there, died, or broke its protocol. */
  | 'helper-failed';
