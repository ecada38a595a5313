import { SallyportError } from '../errors.ts';
import type { KeyAlgorithm, UserVerification } from '../factors/contract.ts';
import { limits } from '../limits.ts';
import type { AssertRequest, MakeRequest } from './contract.ts';
import { protocolVersion, tags, types } from './numbers.ts';

/** What `sallyport-fido` is asked: docs/reference/protocol.md, "The FIDO helper". Pure: values in, bytes out. */
const verifications: Readonly<Record<UserVerification, number>> = {
  discouraged: 0,
  preferred: 1,
  required: 2,
};
const algorithms: Readonly<Record<KeyAlgorithm, number>> = { es256: 1, eddsa: 2, rs256: 3 };

function unsigned(value: number, size: 1 | 2 | 4): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUIntBE(value, 0, size);
  return bytes;
}

function field(name: keyof typeof tags, value: Buffer | string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([unsigned(tags[name], 1), unsigned(bytes.length, 2), bytes]);
}

function frame(type: keyof typeof types, fields: readonly Buffer[]): Buffer {
  const body = Buffer.concat([unsigned(types[type], 1), ...fields]);
  if (body.length > limits.frameLength)
    throw new SallyportError('request-length', `a question of ${body.length} bytes is too long for a key`);
  return Buffer.concat([unsigned(body.length, 4), body]);
}

function opening(deadline: number): readonly Buffer[] {
  return [field('version', unsigned(protocolVersion, 1)), field('deadline', unsigned(deadline, 4))];
}

function asking(request: MakeRequest | AssertRequest): readonly Buffer[] {
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
    ...asking(request),
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
  return frame('assert', [...asking(request), ...groups.flat()]);
}

/** One buffer, so that the caller can wipe it. What is too long for the field is no PIN, and is sent as none. */
export function encodePin(ask: number, pin: Buffer): Buffer {
  const sent = pin.length > limits.pinLength ? pin.subarray(0, 0) : pin;
  const whole = Buffer.alloc(4 + 1 + 4 + 3 + sent.length);
  whole.writeUInt32BE(whole.length - 4, 0);
  whole.writeUInt8(types.pin, 4);
  whole.set([tags.ask, 0, 1, ask, tags.pin], 5);
  whole.writeUInt16BE(sent.length, 10);
  sent.copy(whole, 12);
  return whole;
}
