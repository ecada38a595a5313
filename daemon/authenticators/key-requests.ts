import { createHash } from 'node:crypto';
import type { Registration } from '../factors/answer.ts';
import type { Assertion, SecurityKey, UserVerification } from '../factors/contract.ts';
import { credentialOf, type FactorRecord } from '../factors/kinds.ts';
import type { FidoCall, FidoFailure, HostFacts, Watch } from '../host/contract.ts';
import type { Randomness } from '../lib/randomness.ts';
import { limits } from '../limits.ts';
import type { CreationOptions } from './registrations.ts';

/** The credentials that may answer in a login. */
export interface CredentialRequest {
  readonly groups: readonly { readonly rpId: string; readonly credentialIds: readonly string[] }[];
  readonly userVerification: UserVerification;
}

/** A pending touch. */
export interface KeyRequest<T = Assertion> {
  /** Never rejects. */
  readonly outcome: Promise<T | FidoFailure>;
  readonly pin: FidoCall<never>['pin'];
  readonly cancel: FidoCall<never>['cancel'];
}

/** Whose keys are asked. */
type Keys = Pick<HostFacts, 'id' | 'securityKeys'>;

/** Requests assertions from the keys that are plugged into a host. */
export interface KeyRequests {
  /** Never rejects. */
  isPlugged(host: Keys): Promise<boolean>;
  /** @param deadline milliseconds from now */
  begin(host: Keys, question: CredentialRequest, deadline: number, watch: Watch): KeyRequest;
  /** A new credential. */
  make(host: Keys, wanted: CreationOptions, deadline: number, watch: Watch): KeyRequest<Registration>;
}

/** A failure has a kind; an answer of a key has none. */
export function isFailure(outcome: object): outcome is FidoFailure {
  return 'kind' in outcome;
}

/**
 * Invariant: each request has its own challenge of 32 random bytes, which no other code knows until it is sent; the
 * response carries that challenge, so that it is valid only for this request.
 */
export function createKeyRequests(randomness: Pick<Randomness, 'bytes'>): KeyRequests {
  return {
    async isPlugged({ securityKeys }) {
      return (await securityKeys.list()).length > 0;
    },
    begin({ id: host, securityKeys }, { groups, userVerification }, deadline, watch) {
      const asked = clientDataFor('webauthn.get', groups[0]?.rpId ?? '', randomness, host);
      const call = securityKeys.assert(
        {
          clientDataHash: asked.hash,
          groups: groups.map(({ rpId, credentialIds }) => {
            return { rpId, credentialIds: credentialIds.map((id) => Buffer.from(id, 'base64url')) };
          }),
          userVerification,
          deadline,
        },
        watch,
      );
      const outcome = call.outcome.then((said): Assertion | FidoFailure => {
        if (said.kind === 'failed') return said;
        const { credentialId, authenticatorData, signature } = said;
        const id = credentialId.toString('base64url');
        return { credentialId: id, ...signedIn(asked), authenticatorData, signature };
      });
      return { outcome, pin: (bytes) => call.pin(bytes), cancel: () => call.cancel() };
    },
    make({ id: host, securityKeys }, wanted, deadline, watch) {
      const { account, rp, userId, exclude, algorithms, residentKey, userVerification } = wanted;
      const asked = clientDataFor('webauthn.create', rp.rpId, randomness, host);
      const call = securityKeys.make(
        {
          clientDataHash: asked.hash,
          rp: { id: rp.rpId, name: rp.rpName },
          user: { id: userId, name: account },
          algorithms,
          exclude: thatFit(exclude).map((id) => Buffer.from(id, 'base64url')),
          resident: residentKey,
          userVerification,
          deadline,
        },
        watch,
      );
      const outcome = call.outcome.then((said): Registration | FidoFailure => {
        if (said.kind === 'failed') return said;
        return {
          credentialId: said.credentialId.toString('base64url'),
          ...signedIn(asked),
          rpId: rp.rpId,
          attestationObject: said.attestationObject,
          transports: ['usb'],
        };
      });
      return { outcome, pin: (bytes) => call.pin(bytes), cancel: () => call.cancel() };
    },
  };
}

export interface ClientData {
  readonly challenge: string;
  readonly origin: string;
  readonly clientDataJSON: Buffer;
  readonly hash: Buffer;
}

function signedIn({ challenge, origin, clientDataJSON }: ClientData): Omit<ClientData, 'hash'> {
  return { challenge, origin, clientDataJSON };
}

/**
 * W3C Web Authentication Level 3, 5.8.1. No browser can have this origin: what is signed on this machine is no
 * answer to a page, and vice versa. What is signed on another host names it.
 */
export function clientDataFor(
  type: 'webauthn.create' | 'webauthn.get',
  rpId: string,
  randomness: Pick<Randomness, 'bytes'>,
  host: HostFacts['id'] = '',
): ClientData {
  const challenge = randomness.bytes(32).toString('base64url');
  const origin = `pam://${rpId}`;
  const said = { type, challenge, origin, crossOrigin: false, ...(host === '' ? {} : { host }) };
  const clientDataJSON = Buffer.from(JSON.stringify(said));
  return { challenge, origin, clientDataJSON, hash: createHash('sha256').update(clientDataJSON).digest() };
}

/** The security keys among the factors, as they are requested. */
export function securityKeysOf(factors: readonly FactorRecord[]): readonly SecurityKey[] {
  return factors.flatMap((factor) => credentialOf(factor) ?? []);
}

/** The credential request for the keys; undefined if no factor is a security key. */
export function questionFor(
  credentials: readonly SecurityKey[],
  wanted: UserVerification,
): CredentialRequest | undefined {
  if (credentials.length === 0) return undefined;
  // Credentials of our own relying party first, in case they exceed what one request can hold.
  const ordered = [...credentials].sort((a, b) => Number(a.isLegacy) - Number(b.isLegacy));
  const byParty = new Map<string, string[]>();
  let bytesLeft: number = limits.fidoIdBytes;
  for (const { credentialId, relyingParty: rpId } of ordered) {
    const party = byParty.get(rpId);
    const cost = costOf(credentialId) + (party === undefined ? fieldHeader + Buffer.byteLength(rpId) : 0);
    if (cost > bytesLeft || (party === undefined && byParty.size === limits.fidoParties)) continue;
    bytesLeft -= cost;
    byParty.set(rpId, [...(party ?? []), credentialId]);
  }
  const isVerified = credentials.some(({ verifiesUser }) => verifiesUser);
  return {
    groups: [...byParty].map(([rpId, credentialIds]) => ({ rpId, credentialIds })),
    userVerification: wanted === 'discouraged' && isVerified ? 'preferred' : wanted,
  };
}

const fieldHeader = 3;

/** Bytes that an id takes in a request. */
function costOf(credentialId: string): number {
  return fieldHeader + Buffer.byteLength(credentialId, 'base64url');
}

/** As many as a request can hold: one that is left out may be created again, and is rejected when it is added. */
function thatFit(credentialIds: readonly string[]): readonly string[] {
  let bytesLeft: number = limits.fidoIdBytes;
  return credentialIds.filter((id) => {
    const fits = costOf(id) <= bytesLeft;
    if (fits) bytesLeft -= costOf(id);
    return fits;
  });
}
