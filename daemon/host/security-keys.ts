import type { HelperReason } from '../protocol/fido.ts';
import type { AssertRequest, MakeRequest } from '../protocol/fido-requests.ts';

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
  /** False: only U2F (CTAP1). */
  readonly fido2: boolean;
}

/** What the user should see meanwhile; reported as it happens. */
export type FidoEvent =
  /** So many are plugged in now; 0: ask for one. Said first of all, and again when it changes. */
  | { readonly kind: 'keys'; readonly count: number }
  /** They blink: a touch is waited for. */
  | { readonly kind: 'touch' }
  /** The key that was touched wants its PIN: answer with `pin`. */
  | {
      readonly kind: 'pin';
      readonly why: 'first' | 'wrong';
      /** Attempts left before the key locks itself; set if the key reports them. */
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
  | HelperReason
  /** The user denied it in a browser. */
  | 'denied'
  /** The helper is not there, died, or broke its protocol. */
  | 'helper-failed';
