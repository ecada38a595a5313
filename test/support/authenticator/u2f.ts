import { createPublicKey } from 'node:crypto';
import { signAssertion } from './credential.ts';
import type { Device } from './device.ts';
import { es256, rawPoint, signWith } from './keys.ts';

export const u2fInstruction = { register: 0x01, authenticate: 0x02, version: 0x03 } as const;
export const u2fControl = { checkOnly: 0x07, enforce: 0x03, dontEnforce: 0x08 } as const;
export const statusWord = {
  ok: 0x9000,
  wrongLength: 0x6700,
  /** Not touched yet; of check-only: the key handle is one of this key. */
  conditionsNotSatisfied: 0x6985,
  wrongData: 0x6a80,
  instructionNotSupported: 0x6d00,
  classNotSupported: 0x6e00,
} as const;

interface Apdu {
  readonly instruction: number;
  readonly control: number;
  readonly data: Buffer;
}

/** One U2F request and its answer, with the status word behind it. */
export function answerU2f(device: Device, request: Buffer): Buffer {
  if (request.length < 4) return word(statusWord.wrongLength);
  if (request[0] !== 0) return word(statusWord.classNotSupported);
  const apdu = readApdu(request);
  if (apdu === undefined) return word(statusWord.wrongLength);
  if (apdu.instruction === u2fInstruction.version) return version(device, apdu);
  if (apdu.instruction === u2fInstruction.register) return register(device, apdu);
  if (apdu.instruction === u2fInstruction.authenticate) return authenticate(device, apdu);
  return word(statusWord.instructionNotSupported);
}

/** Short and extended lengths. What is expected back is not looked at. */
function readApdu(request: Buffer): Apdu | undefined {
  const found = { instruction: request.readUInt8(1), control: request.readUInt8(2) };
  const rest = request.subarray(4);
  const none = Buffer.alloc(0);
  if (rest.length <= 1) return { ...found, data: none };
  const extended = rest[0] === 0 && rest.length >= 3;
  const start = extended ? 3 : 1;
  const length = extended ? rest.readUInt16BE(1) : rest.readUInt8();
  // Three bytes alone say what is expected back.
  if (extended && rest.length === 3) return { ...found, data: none };
  if (rest.length < start + length) return undefined;
  return { ...found, data: rest.subarray(start, start + length) };
}

function word(value: number, ...parts: readonly Buffer[]): Buffer {
  return Buffer.concat([...parts, Buffer.of(value >>> 8, value & 0xff)]);
}

function version(device: Device, { data }: Apdu): Buffer {
  device.log({ command: 'U2F_VERSION' });
  return data.length > 0 ? word(statusWord.wrongLength) : word(statusWord.ok, Buffer.from('U2F_V2'));
}

function register(device: Device, { data }: Apdu): Buffer {
  if (data.length !== 64) return word(statusWord.wrongLength);
  const challenge = data.subarray(0, 32);
  const rpIdHash = Buffer.from(data.subarray(32));
  device.log({ command: 'U2F_REGISTER', clientDataHash: Buffer.from(challenge) });
  if (!device.presence.poll()) return word(statusWord.conditionsNotSatisfied);
  const credential = device.create({ rpIdHash, algorithm: es256, resident: false });
  const point = rawPoint(createPublicKey(credential.privateKey));
  const { x5c, privateKey } = device.attestationOfU2f;
  const spoilt = Buffer.alloc(device.misbehaviour.wrongSignature ? 1 : 0);
  const signed = Buffer.concat([Buffer.of(0), rpIdHash, challenge, credential.id, point, spoilt]);
  const handle = Buffer.concat([Buffer.of(credential.id.length), credential.id]);
  const [certificate = Buffer.alloc(0)] = x5c;
  return word(statusWord.ok, Buffer.of(5), point, handle, certificate, signWith(es256, privateKey, signed));
}

function authenticate(device: Device, { control, data }: Apdu): Buffer {
  const length = data[64];
  if (length === undefined || data.length !== 65 + length) return word(statusWord.wrongLength);
  const clientDataHash = Buffer.from(data.subarray(0, 32));
  const rpIdHash = Buffer.from(data.subarray(32, 64));
  const id = Buffer.from(data.subarray(65));
  const isCheck = control === u2fControl.checkOnly;
  device.log({ command: isCheck ? 'U2F_CHECK' : 'U2F_AUTHENTICATE', clientDataHash, ids: [id] });
  const credential = device.find(rpIdHash, [id]).find(({ algorithm }) => algorithm === es256);
  if (credential === undefined) return word(statusWord.wrongData);
  if (isCheck) return word(statusWord.conditionsNotSatisfied);
  const enforced = control === u2fControl.enforce;
  if (!enforced && control !== u2fControl.dontEnforce) return word(statusWord.wrongData);
  if (enforced && !device.presence.poll()) return word(statusWord.conditionsNotSatisfied);

  const { wrongSignature = false } = device.misbehaviour;
  const { authenticatorData, signature } = signAssertion(credential, {
    rpIdHash,
    clientDataHash,
    counter: device.nextCounter(credential),
    wrongSignature,
    ...device.flags({ up: enforced, uv: false }),
  });
  return word(statusWord.ok, authenticatorData.subarray(32), signature);
}
