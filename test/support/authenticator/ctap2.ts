import { type CborMap, cborMap, encode } from './cbor.ts';
import { answerClientPin } from './client-pin.ts';
import { attest, type Credential, sha256, signAssertion } from './credential.ts';
import type { Transaction } from './ctaphid.ts';
import type { Device } from './device.ts';
import { type CoseAlgorithm, isCoseAlgorithm } from './keys.ts';
import { needed, Parameters } from './parameters.ts';
import { permission } from './pin.ts';
import { Refusal, status } from './status.ts';

export const ctap2Command = {
  makeCredential: 0x01,
  getAssertion: 0x02,
  getInfo: 0x04,
  clientPin: 0x06,
  reset: 0x07,
  selection: 0x0b,
} as const;

const longestMessage = 2048;

/** One CTAP2 command: a byte that says which, and its parameters. The answer: a status byte and what is asked. */
export async function answerCtap2(
  device: Device,
  request: Buffer,
  transaction: Transaction,
): Promise<Buffer> {
  try {
    if (device.options.processing !== undefined) await processing(device.options.processing, transaction);
    const answer = await dispatch(device, request, transaction);
    return Buffer.concat([Buffer.of(status.ok), answer === undefined ? Buffer.alloc(0) : encode(answer)]);
  } catch (error) {
    if (error instanceof Refusal) return Buffer.of(error.code);
    throw error;
  }
}

/** Works for so long, and says so. */
async function processing(ms: number, { signal, status: say }: Transaction): Promise<void> {
  say('processing');
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  if (signal.aborted) throw new Refusal('keepaliveCancel');
}

async function dispatch(
  device: Device,
  request: Buffer,
  transaction: Transaction,
): Promise<CborMap | undefined> {
  const command = request[0];
  const rest = request.subarray(1);
  if (command === ctap2Command.getInfo) return getInfo(device);
  if (command === ctap2Command.makeCredential)
    return makeCredential(device, Parameters.of(rest), transaction);
  if (command === ctap2Command.getAssertion) return getAssertion(device, Parameters.of(rest), transaction);
  if (command === ctap2Command.clientPin && device.knowsPins)
    return answerClientPin(device, Parameters.of(rest), transaction);
  if (command === ctap2Command.reset) return reset(device, transaction);
  if (command === ctap2Command.selection && device.is21) return selection(device, transaction);
  device.log({ command: `0x${(command ?? 0).toString(16)}` });
  throw new Refusal('invalidCommand');
}

function needsUvToMake(device: Device): boolean {
  return !(device.options.makeCredUvNotRqd ?? device.is21);
}

function getInfo(device: Device): CborMap {
  device.log({ command: 'getInfo' });
  const { kind = 'both', clientPin = true, residentKeys = true } = device.options;
  const newer = device.is21;
  const versions = ['FIDO_2_0', ...(newer ? ['FIDO_2_1'] : []), ...(kind === 'both' ? ['U2F_V2'] : [])];
  const options = cborMap(
    ['rk', residentKeys],
    ['up', true],
    ['plat', false],
    ['uv', device.hasFinger ? true : undefined],
    ['clientPin', clientPin ? device.pin.isSet : undefined],
    ['pinUvAuthToken', newer && device.knowsPins ? true : undefined],
    ['makeCredUvNotRqd', newer ? !needsUvToMake(device) : undefined],
  );
  const algorithms = device.algorithms.map((alg) => cborMap(['alg', alg], ['type', 'public-key']));
  return cborMap(
    [1, versions],
    [3, device.aaguid],
    [4, options],
    [5, longestMessage],
    [6, device.knowsPins ? (newer ? [2, 1] : [1]) : undefined],
    [7, newer ? 16 : undefined],
    [8, newer ? 128 : undefined],
    [9, newer ? ['usb'] : undefined],
    [10, newer ? algorithms : undefined],
  );
}

async function selection(device: Device, transaction: Transaction): Promise<undefined> {
  device.log({ command: 'selection' });
  await device.touched(transaction);
}

async function reset(device: Device, transaction: Transaction): Promise<undefined> {
  device.log({ command: 'reset' });
  await device.touched(transaction);
  device.reset();
}

interface Verification {
  readonly uv: boolean;
  /** The touch that this command would want was there already. */
  readonly present: boolean;
}

interface VerificationWish {
  readonly param: Buffer | undefined;
  readonly protocol: number | undefined;
  readonly wanted: number;
  readonly rpId: string;
  readonly clientDataHash: Buffer;
  /** The option of the request. */
  readonly uv: boolean;
}

/** What stands at the beginning of both commands: user verification by PIN token or by finger. */
async function verified(
  device: Device,
  wish: VerificationWish,
  transaction: Transaction,
): Promise<Verification> {
  const { param, wanted, rpId, clientDataHash } = wish;
  if (param !== undefined) {
    if (!device.knowsPins) throw new Refusal('invalidParameter');
    if (param.length === 0) {
      // A way to ask for a touch: the answer is not a credential in any case.
      await device.touched(transaction);
      throw new Refusal(device.pin.isSet ? 'pinInvalid' : 'pinNotSet');
    }
    const protocol = device.protocolOf(needed(wish.protocol));
    const { present } = device.pin.verify(protocol, clientDataHash, param, wanted, rpId);
    return { uv: true, present };
  }
  if (!wish.uv) return { uv: false, present: false };
  if (!device.hasFinger) throw new Refusal(device.is21 ? 'invalidOption' : 'unsupportedOption');
  await device.fingered(transaction);
  return { uv: true, present: true };
}

async function makeCredential(
  device: Device,
  parameters: Parameters,
  transaction: Transaction,
): Promise<CborMap> {
  const clientDataHash = needed(parameters.bytes(1));
  const rpId = needed(needed(parameters.inner(2)).text('id'));
  const user = userOf(needed(parameters.inner(3)));
  const wishes = needed(parameters.list(4)).map((each) => ({
    type: needed(each.text('type')),
    alg: needed(each.number('alg')),
  }));
  const exclude = idsOf(parameters.list(5));
  const options = parameters.booleans(7);
  const param = parameters.bytes(8);
  device.log({
    command: 'makeCredential',
    rpId,
    clientDataHash,
    options,
    algorithms: wishes.map(({ alg }) => alg),
    withPinAuth: param !== undefined,
    ...(exclude === undefined ? {} : { ids: exclude }),
  });

  const algorithm = algorithmOf(device, wishes);
  const rpIdHash = sha256(rpId);
  const resident = options.rk ?? false;
  if (resident && device.options.residentKeys === false) throw new Refusal('unsupportedOption');
  if (options.up === false) throw new Refusal('invalidOption');
  const uvAsked = options.uv ?? false;
  if (param === undefined && !uvAsked && device.isProtected && (needsUvToMake(device) || resident))
    throw new Refusal('pinRequired');
  const { uv, present } = await verified(
    device,
    {
      param,
      protocol: parameters.number(9),
      wanted: permission.makeCredential,
      rpId,
      clientDataHash,
      uv: uvAsked,
    },
    transaction,
  );
  const excluded = exclude !== undefined && device.find(rpIdHash, exclude).length > 0;
  if (!present) await device.touched(transaction);
  device.pin.spend();
  if (excluded) throw new Refusal('credentialExcluded');

  const credential = device.create({ rpIdHash, algorithm, resident, user });
  const { wrongSignature = false } = device.misbehaviour;
  const { fmt, authData, attStmt } = attest(credential, {
    clientDataHash,
    attestation: device.options.attestation ?? 'self',
    aaguid: device.aaguid,
    wrongSignature,
    ...device.flags({ up: true, uv }),
  });
  return cborMap([1, fmt], [2, authData], [3, attStmt]);
}

function algorithmOf(
  device: Device,
  wishes: readonly { readonly type: string; readonly alg: number }[],
): CoseAlgorithm {
  for (const { type, alg } of wishes)
    if (type === 'public-key' && isCoseAlgorithm(alg) && device.algorithms.includes(alg)) return alg;
  throw new Refusal('unsupportedAlgorithm');
}

function userOf(parameters: Parameters): NonNullable<Credential['user']> {
  const name = parameters.text('name');
  const displayName = parameters.text('displayName');
  return {
    id: needed(parameters.bytes('id')),
    ...(name === undefined ? {} : { name }),
    ...(displayName === undefined ? {} : { displayName }),
  };
}

function idsOf(list: readonly Parameters[] | undefined): readonly Buffer[] | undefined {
  return list?.filter((each) => each.text('type') === 'public-key').map((each) => needed(each.bytes('id')));
}

async function getAssertion(
  device: Device,
  parameters: Parameters,
  transaction: Transaction,
): Promise<CborMap> {
  const rpId = needed(parameters.text(1));
  const clientDataHash = needed(parameters.bytes(2));
  const allow = idsOf(parameters.list(3));
  const options = parameters.booleans(5);
  const param = parameters.bytes(6);
  device.log({
    command: 'getAssertion',
    rpId,
    clientDataHash,
    options,
    withPinAuth: param !== undefined,
    ...(allow === undefined ? {} : { ids: allow }),
  });

  if (options.rk !== undefined) throw new Refusal(device.is21 ? 'invalidOption' : 'unsupportedOption');
  const up = options.up ?? true;
  const { uv, present } = await verified(
    device,
    {
      param,
      protocol: parameters.number(7),
      wanted: permission.getAssertion,
      rpId,
      clientDataHash,
      uv: options.uv ?? false,
    },
    transaction,
  );
  const rpIdHash = sha256(rpId);
  const [credential] = device.find(rpIdHash, allow);
  if (credential === undefined) throw new Refusal('noCredentials');
  if (up && !present) await device.touched(transaction);
  if (up) device.pin.spend();

  const { wrongSignature = false } = device.misbehaviour;
  const { authenticatorData, signature } = signAssertion(credential, {
    rpIdHash,
    clientDataHash,
    counter: device.nextCounter(credential),
    wrongSignature,
    ...device.flags({ up, uv }),
  });
  return cborMap(
    [1, cborMap(['id', credential.id], ['type', 'public-key'])],
    [2, authenticatorData],
    [3, signature],
    [4, userAnswer(credential, uv)],
  );
}

/** Whose it is: of resident ones alone, and by name only when the user was verified. */
function userAnswer({ resident, user }: Credential, uv: boolean): CborMap | undefined {
  if (!resident || user === undefined) return undefined;
  const { id, name, displayName } = user;
  return uv ? cborMap(['id', id], ['name', name], ['displayName', displayName]) : cborMap(['id', id]);
}
