import { browserSupportsWebAuthn, startAuthentication, startRegistration } from '@simplewebauthn/browser';
import type {
  AssertionBody,
  AssertionOptions,
  AttestationBody,
  CreationOptionsView,
} from '../../daemon/api/sign-in-views.ts';

/** Why a security key did not respond. `again`: no fault, the user can try again. */
export class KeyError extends Error {
  readonly again: boolean;

  constructor(message: string, again: boolean) {
    super(message);
    this.name = 'KeyError';
    this.again = again;
  }
}

/** Asks a security key of this browser for an assertion. @throws KeyError */
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

/** Creates a credential with the browser's dialog. @throws KeyError */
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
    : 'Browsers use security keys only on pages served over https.';
  throw new KeyError(why, false);
}

function explained(error: unknown, rpId: string, appid?: string): KeyError {
  const name = error instanceof Error ? error.name : '';
  switch (name) {
    case 'InvalidStateError':
      return new KeyError('That security key is already added.', true);
    case 'NotAllowedError':
    case 'AbortError':
      return new KeyError('Cancelled, or timed out. You can try again.', true);
    case 'SecurityError':
      if (appid !== undefined && location.protocol === 'http:')
        return new KeyError(
          'Browsers use legacy U2F keys only on pages served over https, which this page is not. Use another factor, or open the portal over https.',
          false,
        );
      return new KeyError(
        `The security keys of this portal belong to ${rpId}, but this page is ${location.origin}. Open the portal at its own address.`,
        false,
      );
    case 'NotSupportedError':
    case 'ConstraintError':
      return new KeyError('This security key does not support what is needed here. Try another one.', true);
    default:
      return new KeyError(
        `The security key did not respond: ${error instanceof Error ? error.message : String(error)}`,
        true,
      );
  }
}

type Transport = 'ble' | 'cable' | 'hybrid' | 'internal' | 'nfc' | 'smart-card' | 'usb';
const transports: readonly string[] = ['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb'];

/** Records hold what security keys once reported: newer browsers may know more. */
function isTransport(text: string): text is Transport {
  return transports.includes(text);
}
