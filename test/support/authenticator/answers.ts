import { type Credential, type MadeAssertion, type MadeCredential, sha256 } from './credential.ts';

/** What a client presents to a key: text, and the hash that the key signs. */
export interface ClientData {
  readonly json: Buffer;
  readonly hash: Buffer;
}

/** @param challenge in base64url, as in JSON */
export function clientData(
  type: 'webauthn.create' | 'webauthn.get',
  challenge: string,
  origin: string,
): ClientData {
  const json = Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }));
  return { json, hash: sha256(json) };
}

/** As a browser sends the result of navigator.credentials.create(). */
export interface RegistrationAnswer {
  readonly id: string;
  readonly rawId: string;
  readonly type: 'public-key';
  readonly response: { clientDataJSON: string; attestationObject: string; transports: 'usb'[] };
  readonly clientExtensionResults: Record<string, never>;
}

export function registrationAnswer(made: MadeCredential, { json }: ClientData): RegistrationAnswer {
  const id = made.credentialId.toString('base64url');
  const attestationObject = made.attestationObject.toString('base64url');
  const response = { clientDataJSON: json.toString('base64url'), attestationObject };
  return {
    id,
    rawId: id,
    type: 'public-key',
    response: { ...response, transports: ['usb'] },
    clientExtensionResults: {},
  };
}

/** As a browser sends the result of navigator.credentials.get(). */
export interface AssertionAnswer {
  readonly id: string;
  readonly rawId: string;
  readonly type: 'public-key';
  readonly response: {
    clientDataJSON: string;
    authenticatorData: string;
    signature: string;
    userHandle?: string;
  };
  readonly clientExtensionResults: Record<string, never>;
}

export function assertionAnswer(
  credential: Credential,
  { authenticatorData, signature }: MadeAssertion,
  { json }: ClientData,
): AssertionAnswer {
  const id = credential.id.toString('base64url');
  const handle = credential.resident ? credential.user?.id.toString('base64url') : undefined;
  return {
    id,
    rawId: id,
    type: 'public-key',
    response: {
      clientDataJSON: json.toString('base64url'),
      authenticatorData: authenticatorData.toString('base64url'),
      signature: signature.toString('base64url'),
      ...(handle === undefined ? {} : { userHandle: handle }),
    },
    clientExtensionResults: {},
  };
}
