import assert from 'node:assert/strict';
import type { Realm } from '../../daemon/config/contract.ts';
import type { Assertion } from '../../daemon/factors/contract.ts';
import type { LoginFacts } from '../../daemon/policy/contract.ts';
import type { Opening, OpenLogin, Verdict } from '../../daemon/verifier/verifier.ts';
import { onTerminal } from '../unit/policy/support.ts';
import { rpId } from './soft-keys.ts';
import { makeRig, type Rig, type RigVerifier } from './verifier-rig.ts';

/** Logins at this machine, in which a security key answers. */

/** A rig with [webauthn]. */
export function keyRig(...realms: readonly Realm[]): Rig {
  const rig = makeRig(...realms);
  rig.relyingParty = { rpId, rpName: 'Example' };
  return rig;
}

export function openHere(
  rig: Rig,
  part: Partial<LoginFacts> = {},
  verifier: RigVerifier = rig.verifier,
): Promise<Opening> {
  return verifier.open(onTerminal({ local: true, ...part }));
}

/** A login at this machine that is asked. */
export async function askedHere(
  rig: Rig,
  part: Partial<LoginFacts> = {},
  verifier: RigVerifier = rig.verifier,
): Promise<OpenLogin> {
  const opening = await openHere(rig, part, verifier);
  assert.ok(opening.kind === 'ask', `not asked: ${JSON.stringify(opening)}`);
  return opening.login;
}

export async function touched(
  rig: Rig,
  assertion: Assertion,
  part: Partial<LoginFacts> = {},
  verifier: RigVerifier = rig.verifier,
): Promise<Verdict> {
  return verifier.answer(await askedHere(rig, part, verifier), assertion);
}
