import type { Attestation, Credential } from './credential.ts';
import type { CoseAlgorithm } from './keys.ts';

export interface AuthenticatorOptions {
  /** The path of the Unix socket: made by the authenticator, gone when it is unplugged. */
  readonly socket: string;
  /** What it speaks: CTAP2, U2F, or both (the default). */
  readonly kind?: 'fido2' | 'u2f' | 'both';
  /** 2.1 by default. A 2.0 has PIN protocol 1 alone, and wants its PIN for every new credential. */
  readonly version?: '2.0' | '2.1';
  readonly name?: string;
  /** The PIN that is set already. */
  readonly pin?: string;
  /** False: it knows no PINs at all. */
  readonly clientPin?: boolean;
  /** It has a sensor, and a finger enrolled: each touch verifies. */
  readonly builtInUv?: boolean;
  /** False: every new credential wants user verification, once there is some. */
  readonly makeCredUvNotRqd?: boolean;
  /** One for all by default. */
  readonly counter?: 'global' | 'credential' | 'zero';
  /** ES256 alone by default. */
  readonly algorithms?: readonly CoseAlgorithm[];
  /** Of CTAP2; self by default. */
  readonly attestation?: Attestation;
  /** Of U2F, that cannot do without; made when it is first needed. */
  readonly u2fAttestation?: Extract<Attestation, object>;
  readonly aaguid?: Buffer;
  /** False: it cannot keep credentials. */
  readonly residentKeys?: boolean;
  /** So many resident credentials it can keep; 25 by default. */
  readonly residentRoom?: number;
  readonly autoTouch?: boolean;
  /** Milliseconds that a CTAP2 command waits for a touch; 30 000 by default. */
  readonly userActionTimeout?: number;
  /** Milliseconds that a CTAP2 command is "processing" before all else; none by default. */
  readonly processing?: number;
  /** What it holds from the start: `copyOf(other.credentials)` makes a clone of another. */
  readonly credentials?: readonly Credential[];
}

/** What it does wrong. May be changed at any time; counts from the next answer on. */
export interface Misbehaviour {
  /** Also when it is opened (INIT, getInfo, VERSION), not only in commands that do something. */
  readonly atOpen?: boolean;
  /** Keepalives as fast as they are read, while it waits for a touch. */
  readonly floodKeepalives?: boolean;
  /**
   * In place of an answer: random reports; the header of one that is longer than may be; parts out of order; the
   * answer of another command; a good status with CBOR that ends early; one of other types than expected;
   * nothing at all (of no bytes).
   */
  readonly rubbish?: 'reports' | 'length' | 'sequence' | 'command' | 'cbor' | 'types' | 'empty';
  /** The signature is of something else. */
  readonly wrongSignature?: boolean;
  readonly noUpFlag?: boolean;
  readonly noUvFlag?: boolean;
  /** Takes commands and says nothing: no answer, no keepalive. */
  readonly silentHang?: boolean;
  /** The counter in an assertion is not above the last one. Wants one that came before. */
  readonly steppedBackCounter?: boolean;
  /** Of each report half comes, and then nothing more. */
  readonly truncatedReports?: boolean;
}

/** A command that was seen. Never a PIN, nor what is made of one. */
export interface Logged {
  /** INIT, PING, WINK, CANCEL, getInfo, makeCredential, getPinToken, U2F_REGISTER, ... */
  readonly command: string;
  readonly rpId?: string;
  readonly clientDataHash?: Buffer;
  /** The exclude list or the allow list; the key handle. */
  readonly ids?: readonly Buffer[];
  /** As they are in the request; what is not, is not here. */
  readonly options?: Readonly<Record<string, boolean>>;
  readonly algorithms?: readonly number[];
  /** Whether a pinUvAuthParam is in the request. */
  readonly withPinAuth?: boolean;
}
