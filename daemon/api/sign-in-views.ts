import type { UserVerification } from '../factors/contract.ts';

/**
 * What travels over control.sock for the portal, for users without root, and for approvals. Binary values are
 * base64url without padding; times are milliseconds since the epoch.
 */

/** Who signs in, and the first factor. */
export type SignInBody = {
  /** As typed. */
  readonly user: string;
  /** The browser's address, as the portal sees it; accepted only from the portal and from root. */
  readonly source?: string;
} & (
  | { readonly by: 'password'; readonly password: string }
  /** A single-use link that the account's own uid made, or an invite. */
  | {
      readonly by: 'link';
      readonly link: string;
      /** Where an invite asks for it too: `password-needed` says so. */
      readonly password?: string;
    }
  /** The caller's own uid is the account's: gives a link for the portal, and no token. */
  | { readonly by: 'uid' }
);

/** One answer to what is asked. */
export type SignInAnswerBody =
  | { readonly kind: 'typed'; readonly answer: string }
  | ({ readonly kind: 'assertion' } & AssertionBody);

/** AuthenticatorAssertionResponse, as a browser gives it. */
export interface AssertionBody {
  readonly credentialId: string;
  readonly clientDataJSON: string;
  readonly authenticatorData: string;
  readonly signature: string;
}

export interface SignInView {
  /** Of this sign-in; for the next answer. */
  readonly id: string;
  readonly step: SignInStep;
}

export type SignInStep =
  | {
      readonly kind: 'factor';
      /** "Verification code or recovery key"; absent: nothing can be typed. */
      readonly typed?: string;
      /** A security key may answer. */
      readonly key?: AssertionOptions;
      /** Why the answer before was refused. */
      readonly text?: string;
    }
  | { readonly kind: 'done'; readonly person: PersonView; readonly token: TokenView; readonly text?: string }
  /** For `by: 'uid'`. */
  | ({ readonly kind: 'link' } & LinkView);

export interface PersonView {
  readonly account: string;
  readonly uid: number;
  /** A member of the admin group. */
  readonly admin: boolean;
}

/** In `Authorization: Bearer`. */
export interface TokenView {
  readonly token: string;
  /** Until then it is valid for changes. */
  readonly changesUntil: number;
  /** Until then at the latest it is valid for reading; each use prolongs it by 15 minutes. */
  readonly readsUntil: number;
}

/** PublicKeyCredentialRequestOptions. */
export interface AssertionOptions {
  readonly challenge: string;
  readonly rpId: string;
  readonly allowCredentials: readonly { readonly id: string; readonly transports: readonly string[] }[];
  readonly userVerification: UserVerification;
  /** For legacy U2F credentials: the AppID extension. A browser takes one. */
  readonly appid?: string;
  /** Milliseconds. */
  readonly timeout: number;
}

/** PublicKeyCredentialCreationOptions. */
export interface CreationOptionsView {
  readonly challenge: string;
  readonly rp: { readonly id: string; readonly name: string };
  readonly user: { readonly id: string; readonly name: string; readonly displayName: string };
  /** COSE numbers. */
  readonly pubKeyCredParams: readonly number[];
  readonly excludeCredentials: readonly string[];
  readonly residentKey: 'required' | 'discouraged';
  readonly userVerification: UserVerification;
  readonly attestation: 'none' | 'direct';
  readonly timeout: number;
}

/** AuthenticatorAttestationResponse, as a browser gives it. */
export interface AttestationBody {
  readonly credentialId: string;
  readonly clientDataJSON: string;
  readonly attestationObject: string;
  readonly transports: readonly string[];
}

/** A login that waits to be approved in a browser. */
export interface ApprovalView {
  readonly id: string;
  readonly account: string;
  /** The account that the login would become, if it is another one: su that asks its caller. */
  readonly target?: string;
  readonly host: string;
  readonly service: string;
  /** Where the login comes from; absent: not known. */
  readonly source?: string;
  readonly tty?: string;
  readonly asked: number;
  readonly expires: number;
  /** Two digits; only for holders of the link. Other pages of the portal ask the user to type it. */
  readonly number?: string;
  /** The browser has a different address than the login. */
  readonly elsewhere: boolean;
  readonly key: AssertionOptions;
}

export type ApprovalAnswerBody = AssertionBody & {
  /** From a user notified by the portal, without the link. */
  readonly number?: string;
};

/** What became of it. */
export interface ApprovalOutcome {
  readonly outcome: 'approved' | 'denied' | 'refused' | 'over';
  readonly text: string;
}

export interface LinkView {
  /** The secret part. */
  readonly link: string;
  /** The whole of it, where there is a portal. */
  readonly url?: string;
  readonly expires: number;
}

/**
 * The location of the secret: after "#", which browsers do not send; in links of earlier versions in the path or query.
 */
const forms = [
  /^https?:\/\/[^/]+\/invite[#/]([^/?#]+)$/,
  /^https?:\/\/[^/]+\/sign-in[?#]link=([^&#]+)$/,
] as const;

/**
 * The secret part of a sign-in link, from the whole address as printed and sent, or by itself. Any other text is passed
 * on unchanged: the daemon rejects it.
 */
export function parseLink(typed: string): string {
  const text = typed.trim();
  for (const form of forms) {
    const secret = form.exec(text)?.[1];
    if (secret !== undefined) return secret;
  }
  return text;
}
