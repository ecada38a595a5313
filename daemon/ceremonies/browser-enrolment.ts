import type { AttestationBody, CreationOptionsView } from '../api/sign-in-views.ts';
import { originIn } from '../authenticators/approvals.ts';
import type { Configuration } from '../config/in-force.ts';
import { browserKind } from '../factors/kinds.ts';
import { setBoundedPerOwner } from '../lib/bounded-map.ts';
import { SallyportError } from '../lib/errors.ts';
import type { Randomness } from '../lib/randomness.ts';
import { limits } from '../limits.ts';
import type { EnrolResult, Verifier } from '../verifier/contract.ts';
import { creationOptions } from './webauthn-options.ts';

/** Enrolment of security keys in a browser: the credential request, and its response. */
export interface BrowserKeys {
  begin(
    actor: string,
    account: string,
    name: string | undefined,
  ): Promise<{ readonly id: string; readonly options: CreationOptionsView }>;
  /** @throws SallyportError `no-such-ceremony`, and as `enrol` */
  finish(actor: string, account: string, id: string, answer: AttestationBody): Promise<EnrolResult>;
}

export interface BrowserKeyOptions {
  readonly verifier: Pick<Verifier, 'creationOptions' | 'enrol'>;
  readonly configuration: Pick<Configuration, 'current'>;
  readonly randomness: Pick<Randomness, 'bytes'>;
  readonly clock: { monotonic(): number };
}

interface Asked {
  readonly actor: string;
  readonly account: string;
  readonly name: string | undefined;
  readonly rpId: string;
  readonly challenge: string;
  readonly ends: number;
}

/** Invariants: a challenge belongs to one caller and one account, and is answered once, in time. */
export function createBrowserKeys(options: BrowserKeyOptions): BrowserKeys {
  const { verifier, configuration, randomness, clock } = options;
  const asked = new Map<string, Asked>();
  return {
    async begin(actor, account, name) {
      const wanted = await verifier.creationOptions(account);
      const id = randomness.bytes(16).toString('base64url');
      const challenge = randomness.bytes(32).toString('base64url');
      const ends = clock.monotonic() + limits.ceremonyDeadline;
      const one = { actor, account, name, rpId: wanted.rp.rpId, challenge, ends };
      const most = { all: limits.signIns, own: limits.signInsPerAccount };
      setBoundedPerOwner(asked, id, one, most, (other) => other.actor === actor);
      return { id, options: creationOptions(wanted, challenge) };
    },
    async finish(actor, account, id, answer) {
      const found = asked.get(id);
      if (found?.actor !== actor || found.account !== account)
        throw new SallyportError('no-such-ceremony', 'the enrolment has ended; start again');
      asked.delete(id);
      if (clock.monotonic() >= found.ends)
        throw new SallyportError('no-such-ceremony', 'the enrolment timed out; start again');
      const clientDataJSON = Buffer.from(answer.clientDataJSON, 'base64url');
      const registration = {
        credentialId: answer.credentialId,
        challenge: found.challenge,
        origin: originIn(clientDataJSON, configuration.current().portal?.origins ?? []),
        rpId: found.rpId,
        clientDataJSON,
        attestationObject: Buffer.from(answer.attestationObject, 'base64url'),
        transports: answer.transports,
      };
      const name = found.name === undefined ? {} : { name: found.name };
      return verifier.enrol({ actor, user: account, verify: true, kind: browserKind, registration, ...name });
    },
  };
}
