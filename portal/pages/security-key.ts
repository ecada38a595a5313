import { browserSupportsWebAuthn, startAuthentication, startRegistration } from '@simplewebauthn/browser';
import type {
  AssertionBody,
  AssertionOptions,
  AttestationBody,
  CreationOptionsView,
} from '../../daemon/api/sign-in-views.ts';

/** Why a key gave nothing. `again`: nothing is wrong, it can be tried once more. */
export class KeyError extends Error {
  readonly again: boolean;

  constructor(message: string, again: boolean) {
    super(message);
    this.name = 'KeyError';
    this.again = again;
  }
}

/** Asks a security key of this browser for a signature. @throws KeyError */
export async function askKey(options: AssertionOptions): Promise<AssertionBody> {
  demandSupport();
  try {
    const answer = await startAuthentication({
      optionsJSON: {
        challenge: options.challenge,
        rpId: options.rpId,
        timeout: options.timeout,
        userVerification: options.userVerification,
        allowCredentials: options.allowCredentials.map(({ id, transports }) => ({
          id,
          type: 'public-key' as const,
          ...(transports.length === 0 ? {} : { transports: transports.filter(isTransport) }),
        })),
        ...(options.appid === undefined ? {} : { extensions: { appid: options.appid } }),
      },
    });
    const { clientDataJSON, authenticatorData, signature } = answer.response;
    return { credentialId: answer.id, clientDataJSON, authenticatorData, signature };
  } catch (error) {
    throw explained(error, options.rpId, options.appid);
  }
}

/** Makes a credential with the browser's own dialog. @throws KeyError */
export async function makeKey(options: CreationOptionsView): Promise<AttestationBody> {
  demandSupport();
  try {
    const answer = await startRegistration({
      optionsJSON: {
        challenge: options.challenge,
        rp: options.rp,
        user: options.user,
        pubKeyCredParams: options.pubKeyCredParams.map((alg) => ({ type: 'public-key', alg })),
        excludeCredentials: options.excludeCredentials.map((id) => ({ id, type: 'public-key' })),
        authenticatorSelection: {
          residentKey: options.residentKey,
          requireResidentKey: options.residentKey === 'required',
          userVerification: options.userVerification,
        },
        attestation: options.attestation,
        timeout: options.timeout,
      },
    });
    const { clientDataJSON, attestationObject, transports = [] } = answer.response;
    return { credentialId: answer.id, clientDataJSON, attestationObject, transports };
  } catch (error) {
    throw explained(error, options.rp.id);
  }
}

function demandSupport(): void {
  if (browserSupportsWebAuthn()) return;
  const why = window.isSecureContext
    ? 'This browser cannot use security keys.'
    : 'Browsers ask security keys only on pages that come over https.';
  throw new KeyError(why, false);
}

function explained(error: unknown, rpId: string, appid?: string): KeyError {
  const name = error instanceof Error ? error.name : '';
  switch (name) {
    case 'InvalidStateError':
      return new KeyError('That security key is there already.', true);
    case 'NotAllowedError':
    case 'AbortError':
      return new KeyError('Cancelled, or the time ran out. You can try again.', true);
    case 'SecurityError':
      if (appid !== undefined && location.protocol === 'http:')
        return new KeyError(
          'Browsers ask legacy U2F keys only on pages that come over https, and this page does not. Use another factor, or the portal over https.',
          false,
        );
      return new KeyError(
        `The keys of this portal are made for ${rpId}, and this page is ${location.origin}. Open the portal under its own address.`,
        false,
      );
    case 'NotSupportedError':
    case 'ConstraintError':
      return new KeyError('This security key cannot do what is asked of it here. Try another one.', true);
    default:
      return new KeyError(
        `The security key gave no answer: ${error instanceof Error ? error.message : String(error)}`,
        true,
      );
  }
}

type Transport = 'ble' | 'cable' | 'hybrid' | 'internal' | 'nfc' | 'smart-card' | 'usb';
const transports: readonly string[] = ['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb'];

/** What a record says is what a key once said: newer browsers may know more. */
function isTransport(text: string): text is Transport {
  return transports.includes(text);
}
