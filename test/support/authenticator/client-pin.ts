import { type CborMap, cborMap } from './cbor.ts';
import type { Transaction } from './ctaphid.ts';
import type { Device } from './device.ts';
import { needed, type Parameters } from './parameters.ts';
import { permission, type Shared } from './pin.ts';
import { Refusal } from './status.ts';

const subcommands: Readonly<Record<number, string>> = {
  1: 'getPinRetries',
  2: 'getKeyAgreement',
  3: 'setPin',
  4: 'changePin',
  5: 'getPinToken',
  6: 'getUvTokenWithPermissions',
  7: 'getUvRetries',
  9: 'getPinTokenWithPermissions',
};

/** authenticatorClientPIN. What is proved and encrypted goes neither into the log nor out of here. */
export async function answerClientPin(
  device: Device,
  parameters: Parameters,
  transaction: Transaction,
): Promise<CborMap | undefined> {
  const subcommand = needed(parameters.number(2));
  const rpId = parameters.text(10);
  const command = subcommands[subcommand] ?? `clientPin 0x${subcommand.toString(16)}`;
  device.log({ command, ...(rpId === undefined ? {} : { rpId }) });
  if (subcommand > 5 && !device.is21) throw new Refusal('invalidParameter');

  if (subcommand === 1) return cborMap([3, device.pin.retries]);
  if (subcommand === 7) return cborMap([5, device.fingerTries]);
  const protocol = device.protocolOf(needed(parameters.number(1)));
  if (subcommand === 2) return cborMap([1, device.pin.agreementKey()]);
  const share = () => device.pin.share(protocol, needed(parameters.dictionary(3)));
  if (subcommand === 3) return setPin(device, parameters, share());
  if (subcommand === 4) return changePin(device, parameters, share());

  const permissions =
    subcommand === 5 ? permission.makeCredential | permission.getAssertion : needed(parameters.number(9));
  if (permissions === 0) throw new Refusal('invalidParameter');
  if (subcommand !== 5) needed(rpId);
  const wish = { protocol, permissions, rpId, present: subcommand === 6 };
  if (subcommand === 6) {
    if (!device.hasFinger) throw new Refusal('notAllowed');
    const shared = share();
    await device.fingered(transaction);
    return cborMap([2, shared.encrypt(device.pin.issue(wish))]);
  }
  if (subcommand !== 5 && subcommand !== 9) throw new Refusal('invalidParameter');
  const shared = share();
  device.pin.check(shared, needed(parameters.bytes(6)));
  return cborMap([2, shared.encrypt(device.pin.issue(wish))]);
}

function setPin(device: Device, parameters: Parameters, shared: Shared): undefined {
  const newPinEnc = needed(parameters.bytes(5));
  if (device.pin.isSet || !shared.proves(newPinEnc, needed(parameters.bytes(4))))
    throw new Refusal('pinAuthInvalid');
  device.pin.set(shared, newPinEnc);
}

function changePin(device: Device, parameters: Parameters, shared: Shared): undefined {
  const newPinEnc = needed(parameters.bytes(5));
  const pinHashEnc = needed(parameters.bytes(6));
  if (!shared.proves(Buffer.concat([newPinEnc, pinHashEnc]), needed(parameters.bytes(4))))
    throw new Refusal('pinAuthInvalid');
  device.pin.check(shared, pinHashEnc);
  device.pin.set(shared, newPinEnc);
}
