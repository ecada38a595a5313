import { SallyportError } from '../lib/errors.ts';
import { limits } from '../limits.ts';
import { encodeFrame, type Field, unsigned } from './codec.ts';
import { fieldTags, frameTypes, protocolVersion } from './fido.ts';

/** What `sallyport-fido` is asked: docs/reference/protocol.md, "The FIDO helper". Pure: values in, bytes out. */
const verifications = { discouraged: 0, preferred: 1, required: 2 } as const;
const algorithms = { es256: 1, eddsa: 2, rs256: 3 } as const;

/** Sizes: the page. */
export interface MakeRequest {
  /** SHA-256 of clientDataJSON. */
  readonly clientDataHash: Buffer;
  readonly rp: { readonly id: string; readonly name: string };
  readonly user: { readonly id: Buffer; readonly name: string };
  /** In order of preference; the key uses the first that it supports. */
  readonly algorithms: readonly (keyof typeof algorithms)[];
  /** Credential ids of the account: a key that holds one is rejected. */
  readonly exclude: readonly Buffer[];
  readonly resident: boolean;
  readonly userVerification: keyof typeof verifications;
  /** Milliseconds that the whole call may take. */
  readonly deadline: number;
}

export interface AssertRequest {
  readonly clientDataHash: Buffer;
  /** Credentials by their relying party. */
  readonly groups: readonly { readonly rpId: string; readonly credentialIds: readonly Buffer[] }[];
  readonly userVerification: keyof typeof verifications;
  readonly deadline: number;
}

function field(name: keyof typeof fieldTags, value: Buffer | string): Field {
  return { tag: fieldTags[name], value: Buffer.from(value) };
}

function frame(type: keyof typeof frameTypes, fields: readonly Field[]): Buffer {
  const bytes = encodeFrame(frameTypes[type], fields);
  const length = bytes.length - 4;
  if (length > limits.frameLength)
    throw new SallyportError('request-length', `a request of ${length} bytes is too long for a key`);
  return bytes;
}

function opening(deadline: number): readonly Field[] {
  return [field('version', unsigned(protocolVersion, 1)), field('deadline', unsigned(deadline, 4))];
}

function ceremony(request: MakeRequest | AssertRequest): readonly Field[] {
  return [
    ...opening(request.deadline),
    field('clientDataHash', request.clientDataHash),
    field('userVerification', unsigned(verifications[request.userVerification], 1)),
  ];
}

export function encodeList(deadline: number): Buffer {
  return frame('list', opening(deadline));
}

export function encodeMake(request: MakeRequest): Buffer {
  return frame('make', [
    ...ceremony(request),
    field('rpId', request.rp.id),
    field('rpName', request.rp.name),
    field('userId', request.user.id),
    field('userName', request.user.name),
    ...request.algorithms.map((algorithm) => field('algorithm', unsigned(algorithms[algorithm], 1))),
    ...request.exclude.map((id) => field('credentialId', id)),
    field('resident', unsigned(request.resident ? 1 : 0, 1)),
  ]);
}

export function encodeAssert(request: AssertRequest): Buffer {
  const groups = request.groups.map(({ rpId, credentialIds }) => [
    field('rpId', rpId),
    ...credentialIds.map((id) => field('credentialId', id)),
  ]);
  return frame('assert', [...ceremony(request), ...groups.flat()]);
}

/**
 * One buffer, so that the caller can wipe it. Input too long for the field is not the PIN of any key, and is sent
 * as an empty one.
 */
export function encodePin(ask: number, pin: Buffer): Buffer {
  const sent = pin.length > limits.pinLength ? pin.subarray(0, 0) : pin;
  return encodeFrame(frameTypes.pin, [
    { tag: fieldTags.ask, value: unsigned(ask, 1) },
    { tag: fieldTags.pin, value: sent },
  ]);
}
