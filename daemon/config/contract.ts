import type {
  OtpAlgorithm,
  OtpDigits,
  RequirableKind,
  UserVerification,
  YubikeyValidation,
} from '../factors/contract.ts';
import type { KindName } from '../factors/kinds.ts';
import type { Network } from '../lib/network.ts';

/** The whole configuration, checked and with every default filled in. */
export interface Config {
  /** Where it was read from. */
  readonly file: string;
  readonly paths: {
    readonly store: string;
    readonly anchor: string;
    readonly masterKey: string;
    /** Sealed copy of the last good configuration. */
    readonly lastGood: string;
    readonly pamSocket: string;
    readonly pamUserSocket: string;
    readonly controlSocket: string;
    /** Where the service manager starts `sallyport-fido` for each connection. */
    readonly fidoSocket: string;
    /** Started as a child instead, as the daemon's own user: with a root directory. */
    readonly fidoHelper?: string;
    /** Where the service manager starts `sallyport-password` for each connection. */
    readonly passwordSocket: string;
    /** Started as a child instead, as the daemon's own user: with a root directory. */
    readonly passwordHelper?: string;
    /** Where its PAM service file lies, instead of the system's places; never without passwordHelper. */
    readonly passwordServiceDir?: string;
  };
  /** Name of the group of administrators; if it does not exist, there are none. */
  readonly adminGroup: string;
  /** Shown by authenticator apps. */
  readonly issuer: string;
  /** PAM services that may show secrets and links, beside those known to show them to the person only. */
  readonly secretsIn: readonly string[];
  /** Undefined: no security key can be added, and none of this kind is used. */
  readonly webauthn?: RelyingParty;
  /** Undefined: there is no portal. */
  readonly portal?: PortalConfig;
  readonly audit: { readonly keepForMs: number; readonly keepEvents: number; readonly keepBytes: number };
  /** The program that sallyport-notify runs for notices; undefined without one. */
  readonly notify?: readonly [program: string, ...words: string[]];
  readonly realms: readonly Realm[];
  /** One warning, with file and line, for each setting under a former name; undefined: there are none. */
  readonly deprecated?: readonly string[];
}

/**
 * W3C Web Authentication Level 3, 4, "Relying Party": the domain of credentials. Another ID voids all that exist.
 */
export interface RelyingParty {
  readonly rpId: string;
  /** Shown by browsers and by some keys. */
  readonly rpName: string;
}

/** The web server for users and administrators: a separate process with a separate uid. */
export interface PortalConfig {
  /** As browsers send them in `Origin`; each of them the relying party's, or of a host below it. */
  readonly origins: readonly string[];
  /** A socket that the service manager passes on comes first. */
  readonly listen: { readonly address: string; readonly port: number };
  /** Undefined: plain HTTP, for proxies and this machine. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
  /** X-Forwarded-For counts only from these. */
  readonly proxies: readonly Network[];
  /** Shown as the name of the site. */
  readonly name: string;
  /** The account that it runs as, by which sallyportd knows it. */
  readonly user: string;
}

export interface Realm {
  readonly name: string;
  /** Line of its `[[realm]]`. */
  readonly line: number;
  /** Undefined: catch-all. An account that fits any of the four is a member. */
  readonly members?: {
    readonly groups: readonly string[];
    readonly users: readonly string[];
    /** Lower case. */
    readonly domains: readonly string[];
    readonly uids: readonly { readonly first: number; readonly last: number }[];
  };
  readonly require: 'none' | 'any' | readonly RequirableKind[];
  /** at-login: a first TOTP factor is added in the login itself. */
  readonly enrol: 'refuse' | 'grace' | 'at-login';
  /** With enrol = grace: exactly one of the two. */
  readonly graceMs?: number;
  /** Milliseconds since the epoch. */
  readonly graceUntil?: number;
  readonly totp: {
    readonly digits: OtpDigits;
    readonly period: number;
    readonly algorithm: OtpAlgorithm;
    readonly skew: number;
  };
  readonly yubikey: {
    /** When set, YubiKeys that were added the other way are not used. */
    readonly validation?: YubikeyValidation;
    /** The servers that validate YubiKeys added without their AES key; undefined without servers. */
    readonly servers?: ValidationServers;
  };
  readonly webauthn: {
    readonly userVerification: UserVerification;
    /** Whether new credentials are kept by the key itself. */
    readonly residentKey: boolean;
    /** Models that are allowed, as lower case UUIDs; undefined: all, and nothing is asked about them. */
    readonly models?: AllowedModels;
  };
  readonly lockout: { readonly codes: number; readonly any: number; readonly forMs: number };
  readonly su: 'target' | 'caller';
  /** Observe mode: decisions are recorded, never enforced. */
  readonly observe: boolean;
  readonly rules: readonly Rule[];
}

/** Verified by attestation, against metadata statements of the FIDO Alliance's form in a local file. */
export interface AllowedModels {
  readonly aaguids: readonly string[];
  readonly metadataFile: string;
}

/** Servers of Yubico's validation protocol, and who we are to them. The key itself stays in its file. */
export interface ValidationServers {
  readonly urls: readonly string[];
  readonly clientId: string;
  readonly keyFile: string;
  readonly caFile?: string;
}

export interface Rule {
  readonly line: number;
  /** Undefined: every service. */
  readonly services?: readonly string[];
  /** Undefined: from everywhere. */
  readonly from?: readonly Source[];
  readonly action:
    | { readonly kind: 'skip' }
    | { readonly kind: 'ask' }
    | { readonly kind: 'refuse' }
    | { readonly kind: 'remember'; readonly forMs: number }
    /** A FIDO key that sshd has verified is the second factor; for any other login it means ask. */
    | { readonly kind: 'accept'; readonly factor: KindName };
}

export type Source =
  | { readonly kind: 'local' }
  | {
      readonly kind: 'network';
      readonly family: 'ipv4' | 'ipv6';
      readonly address: string;
      readonly prefix: number;
    };
