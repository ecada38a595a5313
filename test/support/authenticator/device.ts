import { newAttestationCertificate, newRoot } from './certificate.ts';
import { type Attestation, type Credential, defaultAaguid, newCredential } from './credential.ts';
import type { Transaction } from './ctaphid.ts';
import { type CoseAlgorithm, es256 } from './keys.ts';
import type { AuthenticatorOptions, Logged, Misbehaviour } from './options.ts';
import { type PinProtocol, PinState } from './pin.ts';
import { Presence } from './presence.ts';
import { Refusal } from './status.ts';

const allFingerTries = 3;

type CertifiedAttestation = Extract<Attestation, object>;

/** What is inside the key, whichever protocol asks for it. */
export class Device {
  readonly options: AuthenticatorOptions;
  readonly presence = new Presence();
  readonly pin: PinState;
  readonly algorithms: readonly CoseAlgorithm[];
  readonly aaguid: Buffer;
  readonly requests: Logged[] = [];
  credentials: Credential[];
  misbehaviour: Misbehaviour = {};
  /** Of the counter mode `global`: of the last answer. */
  counter = 0;
  fingerTries = allFingerTries;
  private u2fAttestation: CertifiedAttestation | undefined;

  constructor(options: AuthenticatorOptions) {
    this.options = options;
    this.pin = new PinState(options.pin);
    this.algorithms = options.algorithms ?? [es256];
    this.aaguid = options.aaguid ?? defaultAaguid;
    this.credentials = [...(options.credentials ?? [])];
    this.u2fAttestation = options.u2fAttestation;
    this.presence.autoTouch = options.autoTouch ?? false;
    this.counter = Math.max(0, ...this.credentials.map((credential) => credential.counter));
  }

  get hasFinger(): boolean {
    return this.options.builtInUv ?? false;
  }

  get isProtected(): boolean {
    return this.pin.isSet || this.hasFinger;
  }

  get is21(): boolean {
    return this.options.version !== '2.0';
  }

  /** A sensor alone has use for clientPIN too: tokens of a finger are asked for there. */
  get knowsPins(): boolean {
    return (this.options.clientPin ?? true) || (this.hasFinger && this.is21);
  }

  /** @throws Refusal if it does not know that one */
  protocolOf(value: number): PinProtocol {
    if (value === 1 || (value === 2 && this.is21)) return value;
    throw new Refusal('invalidParameter');
  }

  powerUp(): void {
    this.pin.powerUp();
  }

  reset(): void {
    this.pin.reset();
    this.fingerTries = allFingerTries;
    this.credentials = [];
  }

  log(entry: Logged): void {
    this.requests.push(entry);
  }

  /** Blinks until somebody touches it. @throws Refusal when nobody does */
  async touched(transaction: Transaction): Promise<void> {
    await this.asked(transaction);
  }

  /** Blinks until a finger is on the sensor. @throws Refusal when it is not the enrolled one */
  async fingered(transaction: Transaction): Promise<void> {
    if (this.fingerTries === 0) throw new Refusal('uvBlocked');
    if ((await this.asked(transaction)) === 'right') {
      this.fingerTries = allFingerTries;
      return;
    }
    this.fingerTries -= 1;
    throw new Refusal(this.fingerTries === 0 ? 'uvBlocked' : 'uvInvalid');
  }

  private async asked({ signal, status }: Transaction): Promise<'right' | 'wrong'> {
    const within = this.options.userActionTimeout ?? 30_000;
    const waited = this.presence.wait(within, signal);
    if (this.presence.blinking) status('touch');
    const end = await waited;
    if (end === 'right') status('processing');
    if (end === 'timeout') throw new Refusal('userActionTimeout');
    if (end === 'cancelled') throw new Refusal('keepaliveCancel');
    return end;
  }

  /** Those of a relying party, newest first. @param ids none: the resident ones */
  find(rpIdHash: Buffer, ids: readonly Buffer[] | undefined): readonly Credential[] {
    const fitting = this.credentials.filter((credential) => credential.rpIdHash.equals(rpIdHash)).reverse();
    if (ids === undefined) return fitting.filter(({ resident }) => resident);
    return fitting.filter(({ id }) => ids.some((each) => each.equals(id)));
  }

  /** @throws Refusal when there is no room */
  create(wish: Pick<Credential, 'rpIdHash' | 'algorithm' | 'resident' | 'user'>): Credential {
    const { rpIdHash, user, resident } = wish;
    const replaced = resident ? this.find(rpIdHash, undefined).filter((each) => sameUser(each, user)) : [];
    const kept = this.credentials.filter((each) => !replaced.includes(each));
    const room = this.options.residentRoom ?? 25;
    if (resident && kept.filter((each) => each.resident).length >= room) throw new Refusal('keyStoreFull');
    const credential = newCredential(wish);
    if (this.counterMode === 'global') {
      this.counter += 1;
      credential.counter = this.counter;
    }
    this.credentials = [...kept, credential];
    return credential;
  }

  /** What the next assertion of this credential says. */
  nextCounter(credential: Credential): number {
    if (this.counterMode === 'zero') return 0;
    const last = this.counterMode === 'global' ? this.counter : credential.counter;
    if (this.misbehaviour.steppedBackCounter) return Math.max(1, last - 5);
    credential.counter = last + 1;
    if (this.counterMode === 'global') this.counter = last + 1;
    return credential.counter;
  }

  /** What the flags may say, by way of misbehaviour. */
  flags(flags: { readonly up: boolean; readonly uv: boolean }): {
    readonly up: boolean;
    readonly uv: boolean;
  } {
    const { noUpFlag = false, noUvFlag = false } = this.misbehaviour;
    return { up: flags.up && !noUpFlag, uv: flags.uv && !noUvFlag };
  }

  get attestationOfU2f(): CertifiedAttestation {
    if (this.u2fAttestation === undefined) {
      const { certificate, privateKey } = newAttestationCertificate(newRoot());
      this.u2fAttestation = { fmt: 'fido-u2f', x5c: [certificate], privateKey };
    }
    return this.u2fAttestation;
  }

  private get counterMode(): 'global' | 'credential' | 'zero' {
    return this.options.counter ?? 'global';
  }
}

function sameUser({ user }: Credential, other: Credential['user']): boolean {
  return user !== undefined && other !== undefined && user.id.equals(other.id);
}
